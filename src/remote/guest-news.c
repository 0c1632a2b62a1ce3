/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest-news.c: what becomes of one guest of many, on its way from a server to its client
 */

#include "config.h"

#include "remote/guest-news.h"

#include "util/json.h"

/* On the wire: append at the end. */
static const char *const words[] = {
  [STASIS_GUEST_WAITING] = "waiting",
  [STASIS_GUEST_NOT_LISTED] = "not-listed",
  [STASIS_GUEST_SAVING] = "saving",
  [STASIS_GUEST_SAVED] = "saved",
  [STASIS_GUEST_NOT_SAVED] = "not-saved",
  [STASIS_GUEST_SHUTTING_DOWN] = "shutting-down",
  [STASIS_GUEST_SHUT_DOWN] = "shut-down",
  [STASIS_GUEST_LEFT] = "left",
  [STASIS_GUEST_ENDED] = "ended",
  [STASIS_GUEST_STARTING] = "starting",
  [STASIS_GUEST_RESTORED] = "restored",
  [STASIS_GUEST_BOOTED] = "booted",
  [STASIS_GUEST_NOT_STARTED] = "not-started",
  [STASIS_GUEST_DROPPED] = "dropped",
  [STASIS_GUEST_NOT_QUIESCED] = "not-quiesced",
};

static void
set_text (StasisJson *object, const char *key, const char *text)
{
  stasis_json_set (object, key,
                   text != NULL ? stasis_json_new_string (text) : stasis_json_new_null ());
}

static StasisJson *
describe (const char *domain, const GError *error)
{
  StasisJson *object = stasis_json_new_object ();
  set_text (object, "domain", domain);
  set_text (object, "error", error != NULL ? error->message : NULL);
  return object;
}

/* Of guests that are stopped or brought back. */
char *
stasis_guest_news_format (const char *domain, StasisGuestNews news, const GError *error)
{
  g_autoptr (StasisJson) object = describe (domain, error);
  stasis_json_set_string (object, "news", words[news]);
  return stasis_json_to_string (object);
}

/* Of domains that are started. */
char *
stasis_guest_report_format (const char *domain, const GError *error)
{
  g_autoptr (StasisJson) object = describe (domain, error);
  return stasis_json_to_string (object);
}

/* (transfer full) (nullable): why, as far as the message goes. */
static GError *
take_error (const StasisJson *object)
{
  const char *message = stasis_json_string (stasis_json_get (object, "error"), NULL);
  return message != NULL ? g_error_new_literal (STASIS_ERROR, STASIS_ERROR_FAILED, message) : NULL;
}

/* The way back. */
void
stasis_guest_news_tell (const char *text, StasisGuestFunc report, gpointer user_data)
{
  g_autoptr (StasisJson) object = stasis_json_parse (text, -1, NULL);
  const char *word
      = object != NULL ? stasis_json_string (stasis_json_get (object, "news"), NULL) : NULL;
  for (guint i = 0; word != NULL && report != NULL && i < G_N_ELEMENTS (words); i++)
    if (g_str_equal (word, words[i]))
      {
        g_autoptr (GError) error = take_error (object);
        report (stasis_json_string (stasis_json_get (object, "domain"), NULL), (StasisGuestNews) i,
                error, user_data);
      }
}

/* The same. */
void
stasis_guest_report_tell (const char *text, StasisReportFunc report, gpointer user_data)
{
  g_autoptr (StasisJson) object = stasis_json_parse (text, -1, NULL);
  const char *domain
      = object != NULL ? stasis_json_string (stasis_json_get (object, "domain"), NULL) : NULL;
  g_autoptr (GError) error = domain != NULL ? take_error (object) : NULL;
  if (domain != NULL && report != NULL)
    report (domain, error, user_data);
}

/* What is to be brought back. */
char *
stasis_guest_list_format (const GPtrArray *guests)
{
  g_autoptr (StasisJson) array = stasis_json_new_array ();
  for (guint i = 0; i < guests->len; i++)
    {
      const StasisGuest *guest = g_ptr_array_index (guests, i);
      StasisJson *object = stasis_json_new_object ();
      set_text (object, "name", guest->name);
      set_text (object, "uuid", guest->uuid);
      set_text (object, "state", stasis_guest_state_to_string (guest->state));
      set_text (object, "problem", guest->message);
      stasis_json_array_append (array, object);
    }
  return stasis_json_to_string (array);
}

static void
free_guest (gpointer data)
{
  StasisGuest *guest = data;
  g_free (guest->name);
  g_free (guest->uuid);
  g_free (guest->message);
  g_free (guest);
}

/* One that nobody knows the word for ran, as one whose entry cannot be read. */
static StasisGuestState
parse_state (const char *word)
{
  for (StasisGuestState i = STASIS_GUEST_STATE_RAN; i <= STASIS_GUEST_STATE_SHUT_DOWN; i++)
    if (g_str_equal (word, stasis_guest_state_to_string (i)))
      return i;
  return STASIS_GUEST_STATE_RAN;
}

/* The way back. */
GPtrArray *
stasis_guest_list_parse (const char *text)
{
  g_autoptr (StasisJson) array = stasis_json_parse (text, -1, NULL);
  if (array == NULL)
    return NULL;
  GPtrArray *guests = g_ptr_array_new_with_free_func (free_guest);
  for (guint i = 0; i < stasis_json_array_length (array); i++)
    {
      const StasisJson *object = stasis_json_array_get (array, i);
      StasisGuest *guest = g_new0 (StasisGuest, 1);
      guest->name = g_strdup (stasis_json_string (stasis_json_get (object, "name"), ""));
      guest->uuid = g_strdup (stasis_json_string (stasis_json_get (object, "uuid"), NULL));
      guest->state = parse_state (stasis_json_string (stasis_json_get (object, "state"), ""));
      guest->message = g_strdup (stasis_json_string (stasis_json_get (object, "problem"), NULL));
      g_ptr_array_add (guests, guest);
    }
  return guests;
}
