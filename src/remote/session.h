/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.h: what the functions behind the procedures may ask of, and tell, the connection
 *
 * From any thread.
 */

#pragma once

#include "remote/call.h"

G_BEGIN_DECLS

/* CONNECT_OPEN: once. */
gboolean stasis_session_open (StasisSession *self, gboolean is_read_only, GError **error);
/* Passwords are not for those who may only read: an error where XML is to have them. */
gboolean stasis_session_check_xml (StasisSession *self, StasisXmlFlags flags, GError **error);

/* The client can tell whether the server lives: from now on it is asked whether it does. */
void stasis_session_begin_keepalive (StasisSession *self);

/* A run of a domain that is to end with the connection: at once, where that is over already. */
void stasis_session_end_with (StasisSession *self, StasisDriver *driver, StasisDomain *domain);

/* A migration's memory is sent, which takes a thread: STASIS_ERROR_BUSY where that would leave too
 * few for what ends other migrations. */
gboolean stasis_session_begin_perform (StasisSession *self, GError **error);
void stasis_session_end_perform (StasisSession *self);

/* Events of a number (libvirt's), of one domain or all: the number by which the client knows them.
 */
gboolean stasis_session_add_callback (StasisSession *self, gint32 event,
                                      const StasisWireDomain *domain, gint32 *out_callback,
                                      GError **error);
/* Events of QEMU's, of this name (nullable: of any). */
gboolean stasis_session_add_qemu_callback (StasisSession *self, const char *name, gboolean any_case,
                                           const StasisWireDomain *domain, gint32 *out_callback,
                                           GError **error);
/* Lifecycle events in the old way, or no more; FALSE where it was so already. */
gboolean stasis_session_set_old_callback (StasisSession *self, gboolean is_on);
gboolean stasis_session_remove_callback (StasisSession *self, gint32 callback, gboolean is_qemu);

/* The client knows our own program, and its events. */
void stasis_session_set_own (StasisSession *self);
/* A long call of our own program begins: (transfer full) what cancels it. */
void stasis_session_begin_job (StasisSession *self, guint32 serial);
GCancellable *stasis_session_get_job (StasisSession *self, guint32 serial);
void stasis_session_end_job (StasisSession *self, guint32 serial);
/* FALSE where no such call is under way. */
gboolean stasis_session_cancel_job (StasisSession *self, guint32 serial);
/* Who began it hears how far it is. */
void stasis_session_tell_job (StasisSession *self, guint32 serial, const StasisJobStats *stats);
/* The same, of what becomes of one guest of all: see guest-news.h. */
void stasis_session_tell_guest (StasisSession *self, guint32 serial, const char *text);
/* The same, of what is not as it should be. */
void stasis_session_tell_warning (StasisSession *self, guint32 serial, const char *message);

G_END_DECLS
