/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-look.h: what a list has told of a domain, until it is asked for
 *
 * Each of these answers once, and for a moment after the list; whoever asks again asks the server.
 * So a list costs one call, wherever the server is, and nobody sees what was true a while ago.
 */

#pragma once

#include "remote/client.h"

G_BEGIN_DECLS

/* What a list tells. */
void stasis_client_look_keep (StasisDomain *domain, const StasisWireRecord *record);

/* It is asked for something, which may change what a list has told. */
void stasis_client_look_drop (StasisDomain *domain);

/* FALSE: ask the server. */
gboolean stasis_client_look_take_id (StasisDomain *domain, int *out_id);
gboolean stasis_client_look_take_persistent (StasisDomain *domain, gboolean *out_is_persistent);
gboolean stasis_client_look_take_state (StasisDomain *domain, StasisDomainState *out_state,
                                        const char **out_reason);

/* (nullable) text of a server: a word that is kept for ever, if it can be one. */
const char *stasis_client_intern (const char *word);

G_END_DECLS
