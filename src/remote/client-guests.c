/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * client-guests.c: all guests of a server's host at once
 */

#include "config.h"

#include <glib/gi18n-lib.h>

#include "remote/client-ops.h"
#include "remote/guest-news.h"

#define OWN STASIS_PROGRAM_OWN

typedef struct
{
  StasisGuestFunc report;         /* (nullable) */
  StasisReportFunc report_domain; /* (nullable) */
  gpointer user_data;
} Hearer;

static void
hear_news (const char *text, gpointer data)
{
  const Hearer *hearer = data;
  stasis_guest_news_tell (text, hearer->report, hearer->user_data);
}

static void
hear_report (const char *text, gpointer data)
{
  const Hearer *hearer = data;
  stasis_guest_report_tell (text, hearer->report_domain, hearer->user_data);
}

static gboolean
call_for_all (StasisDriver *self, const char *name, StasisGuestFunc report, gpointer user_data,
              GCancellable *cancellable, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  Hearer hearer = { .report = report, .user_data = user_data };
  const StasisClientJob job
      = { .hear = hear_news, .user_data = &hearer, .cancellable = cancellable };
  return stasis_client_need_own (client, _ ("this for all guests at once"), error)
         && stasis_client_call_job (client, OWN, name, NULL, NULL, &job, error);
}

static gboolean
start_guests (StasisDriver *self, StasisGuestFunc report, gpointer user_data,
              GCancellable *cancellable, GError **error)
{
  return call_for_all (self, "guests-start", report, user_data, cancellable, error);
}

static gboolean
stop_guests (StasisDriver *self, StasisGuestFunc report, gpointer user_data,
             GCancellable *cancellable, GError **error)
{
  return call_for_all (self, "guests-stop", report, user_data, cancellable, error);
}

static GPtrArray *
list_guests (StasisDriver *self, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  StasisWireValue rets[1];
  if (!stasis_client_need_own (client, _ ("the list of guests that are to be brought back"), error)
      || !stasis_client_call (client, OWN, "guests-list", NULL, rets, error))
    return NULL;
  GPtrArray *guests = stasis_guest_list_parse (rets[0].s);
  stasis_client_clear (OWN, "guests-list", rets);
  if (guests == NULL)
    g_set_error (error, STASIS_ERROR, STASIS_ERROR_FAILED,
                 _ ("'%1$s': its answer to '%2$s' cannot be read"), stasis_client_uri (client),
                 "guests-list");
  return guests;
}

static gboolean
autostart (StasisDriver *self, StasisReportFunc report, gpointer user_data, GError **error)
{
  StasisClient *client = stasis_client_of_driver (self);
  Hearer hearer = { .report_domain = report, .user_data = user_data };
  const StasisClientJob job = { .hear = hear_report, .user_data = &hearer };
  return stasis_client_need_own (client, _ ("a start of all that is marked"), error)
         && stasis_client_call_job (client, OWN, "autostart", NULL, NULL, &job, error);
}

/* All guests at once. */
void
stasis_client_fill_guests (StasisDriverOps *ops)
{
  ops->start_guests = start_guests;
  ops->stop_guests = stop_guests;
  ops->list_guests = list_guests;
  ops->autostart = autostart;
}
