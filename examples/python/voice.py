# SPDX-License-Identifier: Apache-2.0
# voice.py - a voice stack in Python: asks how to speak, tells how the call went, and later how it was rated.
#
#     pip install nats-py && python3 examples/python/voice.py CALL-ID [PROFILE]
#     elsewhere:  RL_NATS_URL=nats://HOST:4222 RL_NATS_PASSWORD_FILE=voice.password python3 voice.py ...
#
# It plays one call; tried with nats-py 2.15.0.  The class is what the LiveKit and Pipecat examples import.
import asyncio, json, os, sys, time

import nats

OURS = {"policy_variant": "v1a", "parameters": {"greeting": "Guten Tag, hier ist Tom. Was kann ich für Sie tun?", "tone": "höflich", "length": "kurz"}}

class Voice:
    def __init__(self):  # connects in the background: a call that comes while the bus is away is greeted all the same
        password = open(os.environ.get("RL_NATS_PASSWORD_FILE", "data/secrets/voice.password")).read().strip()
        self.connecting = asyncio.ensure_future(nats.connect(os.environ.get("RL_NATS_URL", "nats://127.0.0.1:4222"), max_reconnect_attempts=-1,
                                                             user="voice", password=password, inbox_prefix="_INBOX_voice"))

    async def ask(self, subject, body):
        bus = await asyncio.shield(self.connecting)
        reply = json.loads((await bus.request(subject, json.dumps(body).encode(), timeout=5)).data)
        if "error" in reply: raise ValueError(reply["error"])
        return reply

    # How to speak.  Answers within a millisecond or so; after 300, or with an error, our own default speaks.
    async def choose(self, call_id, profile):
        try:
            return await asyncio.wait_for(self.ask("policy.select", {"call_id": call_id, "profile": profile}), 0.3)
        except Exception as error:
            print(f"policy.select: {error!r}; our default speaks", file=sys.stderr)
            return OURS

    # Returns when the bus keeps it.  Trying again is safe: a call counts once however often it is told.
    async def tell(self, subject, body):
        for wait in (0.25, 1, 4, 16, 60, 0):
            try:
                return await self.ask(subject, body)
            except Exception as error:
                print(f"{subject}: {error!r}", file=sys.stderr)
                await asyncio.sleep(wait)

    # Name what was spoken, and leave out what is not known.
    async def ended(self, call_id, policy_variant, **signals):
        await self.tell("call.ended", {"call_id": call_id, "policy_variant": policy_variant, "signals": signals})

    async def rated(self, call_id, rating, at=None):  # whenever it is known, days later too
        await self.tell("call.amended", {"call_id": call_id, "at": at or time.time(), "source": "USER", "signals": {"user_rating": rating}})

async def main(call_id, profile="general"):
    voice, started = Voice(), time.time()
    choice = await voice.choose(call_id, profile)
    print(f"{call_id} {choice['policy_variant']} says: {choice['parameters']['greeting']}")
    # ... the conversation ...
    await voice.ended(call_id, choice["policy_variant"], resolution=True, barge_in_count=1, duration_sec=time.time() - started)
    await voice.rated(call_id, 4)
    await (await voice.connecting).drain()

if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
