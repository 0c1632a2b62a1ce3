/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth.c: who we are, said to the host
 *
 * In this order: keys of the agent, key files that are not encrypted, those that are, questions of
 * the host's (keyboard-interactive), a password.  Whatever has been tried in vain stands in the
 * error. A host that wants two of them gets them: the first one that it takes is as one that it
 * does not, and the next one lets us in.
 */

#include "config.h"

#include "transport/auth.h"

#include <glib/gi18n-lib.h>
#include <stdlib.h>
#include <string.h>

#include "transport/agent.h"
#include "transport/key-file.h"
#include "transport/secret-memory.h"
#include "transport/text.h"

#define AUTH_S  60u /* for an answer of the host's */
#define TRIES   3u  /* to type a secret */
#define PROMPTS 16  /* at once */

typedef struct
{
  StasisSshSession *session; /* (borrowed) */
  const char *user;          /* (borrowed) */
  GString *tried;            /* (owned) what was in vain, for the error */
  gboolean is_in;
} Auth;

static const char *const usual_files[] = { "id_ed25519", "id_ecdsa", "id_rsa" };

G_GNUC_PRINTF (2, 3)
static void
note (Auth *self, const char *format, ...)
{
  va_list arguments;
  if (self->tried->len > 0)
    g_string_append (self->tried, "; ");
  va_start (arguments, format);
  g_string_append_vprintf (self->tried, format, arguments);
  va_end (arguments);
}

/* A secret in memory of GLib's. */
static void
wipe (char *secret)
{
  if (secret != NULL)
    explicit_bzero (secret, strlen (secret));
  g_free (secret);
}

/* (transfer full) (nullable) */
static char *
ask_secret (const StasisSshSession *session, const char *prompt, gboolean is_echoed)
{
  const StasisSshAsk *ask = &session->target->ask;
  return ask->secret != NULL ? ask->secret (prompt, is_echoed, ask->data) : NULL;
}

static gboolean
try_agent (Auth *self, StasisSshAgent *agent, GBytes *only, GError **error)
{
  GPtrArray *keys = stasis_ssh_agent_keys (agent);
  guint n = 0;
  for (guint i = 0; i < keys->len && !self->is_in; i++)
    {
      GBytes *key = g_ptr_array_index (keys, i);
      if (only != NULL && !g_bytes_equal (only, key))
        continue;
      n++;
      stasis_ssh_session_step (self->session, AUTH_S);
      if (!stasis_ssh_agent_log_in (agent, self->user, key, &self->is_in, error))
        return FALSE;
      if (stasis_ssh_session_is_over (self->session))
        break;
    }
  if (!self->is_in && only == NULL)
    note (self, g_dngettext (GETTEXT_PACKAGE, "%u key of the agent", "%u keys of the agent", n), n);
  return TRUE;
}

/* An agent that does not work is no reason to give up. */
static gboolean
with_agent (Auth *self, GBytes *only, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (StasisSshAgent) agent = stasis_ssh_agent_open (self->session, &local);
  if (agent != NULL)
    return try_agent (self, agent, only, error);
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (local != NULL)
    note (self, _ ("no agent (%1$s)"), local->message);
  return TRUE;
}

/* By a file, of which we know that it holds a key. */
static gboolean
log_in_by_file (Auth *self, const char *path, const char *passphrase, gboolean *out_is_read,
                GError **error)
{
  int rc;
  stasis_ssh_session_step (self->session, AUTH_S);
  while ((rc = libssh2_userauth_publickey_fromfile_ex (self->session->session, self->user,
                                                       (unsigned int) strlen (self->user), NULL,
                                                       path, passphrase != NULL ? passphrase : ""))
         == LIBSSH2_ERROR_EAGAIN)
    if (!stasis_ssh_session_wait (self->session, _ ("logging in"), error))
      return FALSE;
  *out_is_read = rc == 0 || rc == LIBSSH2_ERROR_AUTHENTICATION_FAILED
                 || rc == LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED;
  self->is_in = rc == 0;
  return TRUE;
}

static gboolean
try_plain_file (Auth *self, const char *path, GError **error)
{
  gboolean is_read;
  if (!log_in_by_file (self, path, NULL, &is_read, error))
    return FALSE;
  if (self->is_in)
    return TRUE;
  g_autofree char *words = stasis_ssh_session_words (self->session);
  note (self, "'%s' (%s)", path, words);
  return TRUE;
}

static gboolean
try_encrypted_file (Auth *self, const char *path, GError **error)
{
  if (self->session->target->ask.secret == NULL)
    {
      note (self, _ ("'%1$s' (it is encrypted, and nobody can be asked: see ssh-add)"), path);
      return TRUE;
    }
  g_autofree char *prompt = g_strdup_printf (_ ("Passphrase of the key '%1$s': "), path);
  gboolean is_read = FALSE;
  for (guint i = 0; i < TRIES && !is_read && !stasis_ssh_session_is_over (self->session); i++)
    {
      char *passphrase = ask_secret (self->session, prompt, FALSE);
      if (passphrase == NULL || *passphrase == '\0')
        {
          wipe (passphrase);
          break;
        }
      const gboolean goes_on = log_in_by_file (self, path, passphrase, &is_read, error);
      wipe (passphrase);
      if (!goes_on)
        return FALSE;
    }
  if (!self->is_in)
    note (self, is_read ? _ ("'%1$s' (refused)") : _ ("'%1$s' (no right passphrase)"), path);
  return TRUE;
}

/* Those that need nobody come before those that do; with a host that is gone nothing is tried. */
static gboolean
try_files (Auth *self, const char *const *paths, GError **error)
{
  const gboolean is_named = self->session->target->keyfile != NULL;
  for (guint turn = 0; turn < 2; turn++)
    for (guint i = 0;
         paths[i] != NULL && !self->is_in && !stasis_ssh_session_is_over (self->session); i++)
      {
        StasisSshKeyState state;
        g_autoptr (GError) local = NULL;
        if (!stasis_ssh_key_file_look (paths[i], &state, &local))
          {
            if (turn == 0
                && (is_named || !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND)))
              note (self, "%s", local->message);
            continue;
          }
        const gboolean is_plain = state == STASIS_SSH_KEY_PLAIN;
        if (is_plain == (turn == 1))
          continue;
        if (!(is_plain ? try_plain_file (self, paths[i], error)
                       : try_encrypted_file (self, paths[i], error)))
          return FALSE;
      }
  return TRUE;
}

static gboolean
try_keys (Auth *self, GError **error)
{
  const char *keyfile = self->session->target->keyfile;
  if (keyfile != NULL)
    {
      const char *const paths[] = { keyfile, NULL };
      g_autoptr (GBytes) key = stasis_ssh_key_file_public (keyfile);
      if (key != NULL && !with_agent (self, key, error))
        return FALSE;
      return self->is_in || try_files (self, paths, error);
    }
  if (!with_agent (self, NULL, error))
    return FALSE;
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  for (guint i = 0; i < G_N_ELEMENTS (usual_files); i++)
    g_ptr_array_add (paths, g_build_filename (g_get_home_dir (), ".ssh", usual_files[i], NULL));
  g_ptr_array_add (paths, NULL);
  return self->is_in || try_files (self, (const char *const *) paths->pdata, error);
}

/* The host asks; libssh2 takes the answers and frees them. */
static void
on_questions (const char *name, int name_length, const char *instruction, int instruction_length,
              int n, const LIBSSH2_USERAUTH_KBDINT_PROMPT *prompts,
              LIBSSH2_USERAUTH_KBDINT_RESPONSE *responses, void **abstract)
{
  StasisSshSession *session = *abstract;
  g_autofree char *about = stasis_ssh_one_line (instruction, MAX (instruction_length, 0));
  for (int i = 0; i < n; i++)
    {
      g_autofree char *asked
          = stasis_ssh_one_line ((const char *) prompts[i].text, (gssize) prompts[i].length);
      g_autofree char *prompt = g_strdup_printf ("(%s) %s%s%s ", session->target->host, about,
                                                 *about ? ": " : "", asked);
      char *answer = session->is_unanswered || i >= PROMPTS
                         ? NULL
                         : ask_secret (session, prompt, prompts[i].echo != 0);
      if (answer == NULL)
        session->is_unanswered = TRUE;
      const gsize length = answer != NULL ? strlen (answer) : 0;
      responses[i].text = stasis_secret_alloc (length + 1, NULL);
      if (responses[i].text != NULL)
        memcpy (responses[i].text, answer != NULL ? answer : "", length + 1);
      responses[i].length = responses[i].text != NULL ? (unsigned int) length : 0;
      wipe (answer);
    }
  /* The host's time begins now. */
  stasis_ssh_session_step (session, AUTH_S);
}

static gboolean
try_questions (Auth *self, GError **error)
{
  for (guint i = 0; i < TRIES && !self->is_in && !self->session->is_unanswered; i++)
    {
      int rc;
      stasis_ssh_session_step (self->session, AUTH_S);
      while ((rc = libssh2_userauth_keyboard_interactive_ex (self->session->session, self->user,
                                                             (unsigned int) strlen (self->user),
                                                             on_questions))
             == LIBSSH2_ERROR_EAGAIN)
        if (!stasis_ssh_session_wait (self->session, _ ("logging in"), error))
          return FALSE;
      self->is_in = rc == 0;
      if (stasis_ssh_session_is_over (self->session))
        break;
    }
  if (!self->is_in)
    note (self, "keyboard-interactive");
  return TRUE;
}

static gboolean
try_password (Auth *self, GError **error)
{
  g_autofree char *prompt
      = g_strdup_printf (_ ("Password of %1$s at %2$s: "), self->user, self->session->name);
  for (guint i = 0; i < TRIES && !self->is_in; i++)
    {
      int rc = 0;
      gboolean goes_on = TRUE;
      char *password = ask_secret (self->session, prompt, FALSE);
      if (password == NULL)
        break;
      stasis_ssh_session_step (self->session, AUTH_S);
      while (goes_on
             && (rc = libssh2_userauth_password_ex (self->session->session, self->user,
                                                    (unsigned int) strlen (self->user), password,
                                                    (unsigned int) strlen (password), NULL))
                    == LIBSSH2_ERROR_EAGAIN)
        goes_on = stasis_ssh_session_wait (self->session, _ ("logging in"), error);
      wipe (password);
      if (!goes_on)
        return FALSE;
      self->is_in = rc == 0;
      if (stasis_ssh_session_is_over (self->session))
        break;
    }
  if (!self->is_in)
    note (self, "password");
  return TRUE;
}

/* (transfer full) (nullable): how the host lets people in; NULL without an error: we are in. */
static char *
ask_ways (Auth *self, GError **error)
{
  char *list;
  stasis_ssh_session_step (self->session, AUTH_S);
  while ((list = libssh2_userauth_list (self->session->session, self->user,
                                        (unsigned int) strlen (self->user)))
         == NULL)
    {
      self->is_in = libssh2_userauth_authenticated (self->session->session) != 0;
      if (self->is_in)
        return NULL;
      if (libssh2_session_last_errno (self->session->session) != LIBSSH2_ERROR_EAGAIN)
        {
          stasis_ssh_session_throw (self->session, STASIS_SSH_ERROR_AUTH, _ ("no way to log in"),
                                    error);
          return NULL;
        }
      if (!stasis_ssh_session_wait (self->session, _ ("logging in"), error))
        return NULL;
    }
  return g_strdup (list);
}

static gboolean
has_way (const char *ways, const char *way)
{
  g_auto (GStrv) list = g_strsplit (ways, ",", -1);
  return g_strv_contains ((const char *const *) list, way);
}

static gboolean
try_all (Auth *self, char **out_ways, GError **error)
{
  *out_ways = ask_ways (self, error);
  if (*out_ways == NULL)
    return self->is_in;
  if (has_way (*out_ways, "publickey") && !try_keys (self, error))
    return FALSE;
  if (self->is_in || self->session->target->ask.secret == NULL
      || stasis_ssh_session_is_over (self->session))
    return TRUE;
  /* A key may have been the first of two things that the host wants. */
  g_free (*out_ways);
  *out_ways = ask_ways (self, error);
  if (*out_ways == NULL)
    return self->is_in;
  if (has_way (*out_ways, "keyboard-interactive") && !try_questions (self, error))
    return FALSE;
  if (!self->is_in && !self->session->is_unanswered && !stasis_ssh_session_is_over (self->session)
      && has_way (*out_ways, "password"))
    return try_password (self, error);
  return TRUE;
}

/* Log in. */
gboolean
stasis_ssh_auth (StasisSshSession *session, GError **error)
{
  const char *user = session->target->user != NULL ? session->target->user : g_get_user_name ();
  g_autoptr (GString) tried = g_string_new (NULL);
  Auth self = { .session = session, .user = user, .tried = tried };
  g_autofree char *ways = NULL;
  if (!try_all (&self, &ways, error))
    return FALSE;
  if (self.is_in)
    return TRUE;
  g_autofree char *shown = stasis_ssh_one_line (ways, -1);
  const char *farewell = session->farewell;
  if (farewell == NULL && stasis_ssh_session_is_over (session))
    farewell = _ ("it has hung up");
  g_set_error (error, STASIS_SSH_ERROR, STASIS_SSH_ERROR_AUTH,
               _ ("%1$s does not let '%2$s' in%3$s%4$s (it takes: %5$s); in vain: %6$s"),
               session->name, user, farewell != NULL ? ": " : "", farewell != NULL ? farewell : "",
               shown, tried->len > 0 ? tried->str : _ ("nothing, for there is no key"));
  return FALSE;
}
