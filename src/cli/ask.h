/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ask.h: what a user is asked on the way to another host
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

/* On the terminal that the command has; NULL where there is none. */
const StasisDriverAsk *stasis_cli_ask (void);

G_END_DECLS
