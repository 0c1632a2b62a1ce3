/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-report.h: a migration as a picture
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

typedef struct _StasisCliReport StasisCliReport;

StasisCliReport *stasis_cli_report_new (const char *domain, const char *destination);
void stasis_cli_report_free (StasisCliReport *self);

/* One more look at the job; from one thread at a time. */
void stasis_cli_report_add (StasisCliReport *self, const StasisJobStats *stats);

/* (transfer full): the picture, as SVG.  @failure: (nullable): why it came to nothing */
char *stasis_cli_report_draw (const StasisCliReport *self, const GError *failure);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StasisCliReport, stasis_cli_report_free)

G_END_DECLS
