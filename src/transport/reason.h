/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reason.h: how a stream through ssh ended, for who knows it
 */

#pragma once

#include "transport/ssh.h"

G_BEGIN_DECLS

/* Say why; NULL for @self is fine.  Only the first reason is kept. */
void stasis_ssh_reason_set_take (StasisSshReason *self, char *text_take);

G_END_DECLS
