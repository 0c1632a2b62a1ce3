/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-ssh-test.c: tests of src/remote/tunnel-ssh.c with a program that plays ssh
 */

#include "config.h"

#include "remote/tunnel-ssh.h"

#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "util/fd.h"

/* It says what it was called with, then what it hears, then why it ends. */
#define SCRIPT \
  "#!/bin/sh\nprintf '%s|' \"$@\"\necho\ncat\n" \
  "[ $$ = $(cut -d' ' -f6 /proc/$$/stat) ] || echo no session of its own >&2\n" \
  "printf 'one\\001\\nline\\n' >&2\nexit 255\n"

static StasisRemoteUri *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  StasisRemoteUri *uri = stasis_remote_uri_parse (text, &error);
  g_assert_no_error (error);
  return uri;
}

static const struct
{
  const char *uri;
  gboolean can;
} cases[] = {
  { "qemu+ssh://h/system", TRUE },
  { "qemu+ssh://h/system?keyfile=/a-b/c.d_e&known_hosts=/f", TRUE },
  { "qemu+ssh://h/system?keyfile=/a%20b", FALSE },
  { "qemu+ssh://h/system?keyfile=/a%25h", FALSE },
  { "qemu+ssh://h/system?known_hosts=/%24HOME", FALSE },
  { "qemu+ssh://h/system?known_hosts=/%7Ea", FALSE },
  { "qemu+ssh://h/system?known_hosts=/%22a", FALSE },
  { "qemu+ssh://a%25u@h/system", FALSE },
};

static void
test_can (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (StasisRemoteUri) uri = parse (cases[i].uri);
      g_assert_true (stasis_tunnel_ssh_can (uri) == cases[i].can);
    }
  g_autoptr (StasisRemoteUri) uri = parse (cases[0].uri);
  g_autofree char *path = g_strdup (g_getenv ("PATH"));
  g_setenv ("PATH", "/nowhere", TRUE);
  g_assert_false (stasis_tunnel_ssh_can (uri));
  g_setenv ("PATH", path, TRUE);
}

/* The program would look into the account's. */
static void
test_home (void)
{
  if (!g_test_subprocess ())
    {
      g_autofree char *home = g_strdup (g_getenv ("HOME"));
      g_setenv ("HOME", "/nowhere", TRUE);
      g_test_trap_subprocess (NULL, 0, 0);
      if (home != NULL)
        g_setenv ("HOME", home, TRUE);
      else
        g_unsetenv ("HOME");
      g_test_trap_assert_passed ();
      return;
    }
  g_autoptr (StasisRemoteUri) usual = parse ("qemu+ssh://h/system?keyfile=/k");
  g_autoptr (StasisRemoteUri) named = parse ("qemu+ssh://h/system?keyfile=/k&known_hosts=/f");
  g_autoptr (StasisRemoteUri) blind = parse ("qemu+ssh://h/system?keyfile=/k&no_verify=1");
  g_assert_false (stasis_tunnel_ssh_can (usual));
  g_assert_true (stasis_tunnel_ssh_can (named));
  g_assert_true (stasis_tunnel_ssh_can (blind));
}

static char *
run (const char *text, char **out_why)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisRemoteUri) uri = parse (text);
  g_auto (StasisTunnel) tunnel = { .fd = -1 };
  g_autoptr (GString) said = g_string_new (NULL);
  char octets[512];
  ssize_t n;
  g_assert_true (stasis_tunnel_ssh_open (uri, "COMMAND", &tunnel, &error));
  g_assert_no_error (error);
  g_assert_true (stasis_fd_write_exact (tunnel.fd, "there and back", 14, NULL));
  shutdown (tunnel.fd, SHUT_WR);
  while ((n = read (tunnel.fd, octets, sizeof octets)) > 0)
    g_string_append_len (said, octets, n);
  *out_why = tunnel.explain (tunnel.reason);
  return g_string_free (g_steal_pointer (&said), FALSE);
}

static void
test_command (void)
{
  g_autofree char *why = NULL;
  g_autofree char *said = run ("qemu+ssh://user@host:2222/system?keyfile=/k&known_hosts=/h", &why);
  static const char *const there[] = { "-F|none|",
                                       "BatchMode=yes|",
                                       "StrictHostKeyChecking=yes|",
                                       "UserKnownHostsFile=/h|",
                                       "GlobalKnownHostsFile=/dev/null|",
                                       "IdentitiesOnly=yes|",
                                       "IdentityFile=/k|",
                                       "User=user|",
                                       "Port=2222|",
                                       "|--|host|COMMAND|\nthere and back" };
  for (guint i = 0; i < G_N_ELEMENTS (there); i++)
    if (strstr (said, there[i]) == NULL)
      g_error ("'%s' is not in '%s'", there[i], said);
  g_assert_cmpstr (why, ==, "ssh: one  line");

  g_autofree char *why_plain = NULL;
  g_autofree char *plain = run ("qemu+ssh://host/system", &why_plain);
  g_assert_null (strstr (plain, "KnownHostsFile"));
  g_assert_null (strstr (plain, "Identit"));
  g_assert_null (strstr (plain, "Port="));
  g_autofree char *why_blind = NULL;
  g_autofree char *blind = run ("qemu+ssh://host/system?no_verify=1", &why_blind);
  g_assert_nonnull (strstr (blind, "StrictHostKeyChecking=no|"));
  g_assert_nonnull (strstr (blind, "|UserKnownHostsFile=/dev/null|"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("stasis-tunnel-XXXXXX", &error);
  g_assert_no_error (error);
  g_autofree char *ssh = g_build_filename (folder, "ssh", NULL);
  g_autofree char *path = g_strconcat (folder, ":", g_getenv ("PATH"), NULL);
  g_file_set_contents (ssh, SCRIPT, -1, &error);
  g_assert_no_error (error);
  g_chmod (ssh, 0700);
  g_setenv ("PATH", path, TRUE);
  const struct passwd *account = getpwuid (getuid ());
  if (account != NULL && !g_test_subprocess ())
    g_setenv ("HOME", account->pw_dir, TRUE);
  g_test_add_func ("/remote/tunnel-ssh/can", test_can);
  g_test_add_func ("/remote/tunnel-ssh/home", test_home);
  g_test_add_func ("/remote/tunnel-ssh/command", test_command);
  const int status = g_test_run ();
  g_unlink (ssh);
  g_rmdir (folder);
  return status;
}
