/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guests.h: all guests at once, when the host shuts down and when it has booted
 */

#pragma once

#include <gio/gio.h>
#include <stasis/driver.h>

G_BEGIN_DECLS

#pragma GCC visibility push(default)

/**
 * StasisGuestNews:
 * @STASIS_GUEST_WAITING: for another process that stops or starts guests; no domain
 * @STASIS_GUEST_NOT_LISTED: it cannot be noted that it ran: nothing will bring it back by itself
 * @STASIS_GUEST_SAVING: its state is being saved
 * @STASIS_GUEST_SAVED: that is done, and it has ended
 * @STASIS_GUEST_NOT_SAVED: that failed, and it goes on
 * @STASIS_GUEST_SHUTTING_DOWN: it was asked to shut down
 * @STASIS_GUEST_SHUT_DOWN: it has done so
 * @STASIS_GUEST_LEFT: it did not, or could not be asked: it goes on
 * @STASIS_GUEST_ENDED: it has ended by itself, or by somebody else
 * @STASIS_GUEST_STARTING: it is being brought back, or started
 * @STASIS_GUEST_RESTORED: it goes on where it was
 * @STASIS_GUEST_BOOTED: it boots
 * @STASIS_GUEST_NOT_STARTED: that failed
 * @STASIS_GUEST_DROPPED: it is not brought back, for the reason that is given
 * @STASIS_GUEST_NOT_QUIESCED: its file systems cannot be frozen: it is saved without that
 *
 * What becomes of one guest.
 */
typedef enum
{
  STASIS_GUEST_WAITING,
  STASIS_GUEST_NOT_LISTED,
  STASIS_GUEST_SAVING,
  STASIS_GUEST_SAVED,
  STASIS_GUEST_NOT_SAVED,
  STASIS_GUEST_SHUTTING_DOWN,
  STASIS_GUEST_SHUT_DOWN,
  STASIS_GUEST_LEFT,
  STASIS_GUEST_ENDED,
  STASIS_GUEST_STARTING,
  STASIS_GUEST_RESTORED,
  STASIS_GUEST_BOOTED,
  STASIS_GUEST_NOT_STARTED,
  STASIS_GUEST_DROPPED,
  STASIS_GUEST_NOT_QUIESCED,
} StasisGuestNews;

/**
 * StasisGuestFunc:
 * @domain: (nullable): its name
 * @news: what became of it
 * @error: (nullable): why, where it is bad news
 * @user_data: what was given with the function
 *
 * Called from several threads, but never from two at once.
 */
typedef void (*StasisGuestFunc) (const char *domain, StasisGuestNews news, const GError *error,
                                 gpointer user_data);

gboolean stasis_driver_stop_guests (StasisDriver *self, StasisGuestFunc report, gpointer user_data,
                                    GCancellable *cancellable, GError **error);
gboolean stasis_driver_start_guests (StasisDriver *self, StasisGuestFunc report, gpointer user_data,
                                     GCancellable *cancellable, GError **error);

/**
 * StasisGuestState:
 * @STASIS_GUEST_STATE_RAN: it ran when the guests were stopped, and what became of it is not known
 * @STASIS_GUEST_STATE_SAVED: its state was saved
 * @STASIS_GUEST_STATE_SHUT_DOWN: it was asked to shut down
 *
 * Why a domain is on the list of those that are to be brought back.
 */
typedef enum
{
  STASIS_GUEST_STATE_RAN,
  STASIS_GUEST_STATE_SAVED,
  STASIS_GUEST_STATE_SHUT_DOWN,
} StasisGuestState;

/* The word for it: "ran", "saved", "shut-down". */
const char *stasis_guest_state_to_string (StasisGuestState state);

/* One of them. */
typedef struct
{
  char *name;
  char *uuid; /* (nullable) where the entry cannot be read */
  StasisGuestState state;
  char *message; /* (nullable) why it could not be brought back */
} StasisGuest;

/* (element-type StasisGuest) (transfer full): what is to be brought back and does not run, by
 * name. */
GPtrArray *stasis_driver_list_guests (StasisDriver *self, GError **error);

#pragma GCC visibility pop

G_END_DECLS
