/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-private.h: what the files of src/driver share about a domain
 */

#pragma once

#include "driver/control.h"
#include "driver/driver-private.h"
#include "driver/status.h"

G_BEGIN_DECLS

#define STASIS_LIVE_XML "domain.xml" /* in the run folder: the running instance's definition */

/* The status of a domain whose QEMU lives, or NULL. */
StasisStatus *stasis_domain_read_status (StasisDomain *self);

/* The same; NULL in *@out_status where it does not run, FALSE where that cannot be told. */
gboolean stasis_domain_look (StasisDomain *self, StasisStatus **out_status, GError **error);

/* The same; STASIS_ERROR_INVALID_STATE where it does not run. */
StasisStatus *stasis_domain_need_status (StasisDomain *self, GError **error);

/* The definition of the running instance. */
StasisDomainDef *stasis_domain_load_live (StasisDomain *self, GError **error);

/* A connection to its supervisor, which is started anew where it is missing. */
StasisControl *stasis_domain_open_control (StasisDomain *self, GError **error);

G_END_DECLS
