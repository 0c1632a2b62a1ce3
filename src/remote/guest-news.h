/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-news.h: what becomes of one guest of many, on its way from a server to its client
 *
 * As JSON: "domain" (or null), "news" (a word; none where domains are only started), "error" (or
 * null).
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

/* (transfer full) */
char *stasis_guest_news_format (const char *domain, StasisGuestNews news, const GError *error);
/* (transfer full): of a domain that was started, or was not. */
char *stasis_guest_report_format (const char *domain, const GError *error);

/* Tell it on; what makes no sense is passed over. */
void stasis_guest_news_tell (const char *text, StasisGuestFunc report, gpointer user_data);
void stasis_guest_report_tell (const char *text, StasisReportFunc report, gpointer user_data);

/* A list of guests, as a JSON array; the way back is NULL where it is none. */
char *stasis_guest_list_format (const GPtrArray *guests);
GPtrArray *stasis_guest_list_parse (const char *text);

G_END_DECLS
