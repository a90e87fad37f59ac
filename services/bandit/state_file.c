/* SPDX-License-Identifier: Apache-2.0 */
/* state_file.c - the keys that users of the described system know.  Never read: bandit.db is the truth. */
#include "state_file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "atomic_file.h"

enum { FORMAT = JSON_INDENT(2) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(15) };

/* The text of the file; never NULL. */
static char *render(const struct model *m, const struct stats *all, int64_t now)
{
    json_t *alpha = json_object(), *beta = json_object(), *rewards = json_object(), *pulls = json_object(), *root;

    for (size_t v = 0; v < m->variants->count; v++) {
        const char *id = m->variants->items[v].id;
        struct beta_posterior p = posterior_beta(&m->belief.beta, &all[v], &all[v]);
        json_object_set_new(alpha, id, json_real(p.alpha));
        json_object_set_new(beta, id, json_real(p.beta));
        json_object_set_new(rewards, id, json_real((double)all[v].reward / REWARD_SCALE));
        json_object_set_new(pulls, id, json_integer(all[v].n));
    }
    root = json_pack("{s:o, s:o, s:o, s:o, s:I, s:s}", "alpha", alpha, "beta", beta, "total_rewards", rewards,
                     "total_pulls", pulls, "last_updated", (json_int_t)now, "reward_version", m->reward_version);
    char *text = root ? json_dumps(root, FORMAT) : NULL;
    json_decref(root);
    if (!text)
        abort();
    return text;
}

enum status state_file_write(const char *path, const struct model *m, const struct stats *all, int64_t now, struct reason *reason)
{
    char *text = render(m, all, now);
    enum status status = atomic_file_write(path, text, strlen(text), 0640, reason);

    free(text);
    return status;
}
