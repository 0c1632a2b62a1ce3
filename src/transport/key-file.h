/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key-file.h: what a file with a private key is, before libssh2 reads it
 */

#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum
{
  STASIS_SSH_KEY_PLAIN,
  STASIS_SSH_KEY_ENCRYPTED,
} StasisSshKeyState;

/* Look at it: FALSE where there is none that can be used, and why. */
gboolean stasis_ssh_key_file_look (const char *path, StasisSshKeyState *out_state, GError **error);

/* (transfer full) (nullable): the public key in PATH.pub, or in PATH itself; NULL where that is not
 * to be had. */
GBytes *stasis_ssh_key_file_public (const char *path);

G_END_DECLS
