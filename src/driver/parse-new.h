/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parse-new.h: a definition that is new here, which has to be one that can be started
 */

#pragma once

#include "driver/driver-private.h"

G_BEGIN_DECLS

/* stasis_driver_parse(), and what a start would refuse for the definition's own sake is refused
 * now, with its line.  Not for what is defined already: it must stay possible to look at that. */
StasisDomainDef *stasis_driver_parse_new (StasisDriver *self, const char *xml,
                                          const char *source_name, GError **error);

/* TRUE where a definition could be started here: for one that was changed. */
gboolean stasis_driver_check_startable (StasisDriver *self, const StasisDomainDef *def,
                                        GError **error);

G_END_DECLS
