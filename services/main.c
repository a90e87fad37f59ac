/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - a service as a process; CMake says which one. */
#include "service.h"

extern const struct service RL_SERVICE;

int main(int argc, char **argv) { return service_main(argc, argv, &RL_SERVICE); }
