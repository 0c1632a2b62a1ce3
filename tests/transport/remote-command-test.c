/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remote-command-test.c: tests of src/transport/remote-command.c: real shells run its commands
 */

#include "config.h"

#include "transport/remote-command.h"

#include <glib/gstdio.h>
#include <string.h>

/* What a program prints that is run instead of the real one: its name and arguments, one a line. */
#define SHOW "#!/bin/sh\necho \"${0##*/}\"; for word; do printf '<%s>\\n' \"$word\"; done\n"
/* netcat-openbsd's help, and one that knows less. */
#define NC_FULL \
  "#!/bin/sh\n[ \"$1\" = -h ] && { printf '\\t-N\\n\\t-q secs\\n\\t-U\\n' >&2; exit 1; }\n"
#define NC_OLD   "#!/bin/sh\n[ \"$1\" = -h ] && { printf '\\t-q secs\\n\\t-U\\n' >&2; exit 1; }\n"
#define NC_PLAIN "#!/bin/sh\n[ \"$1\" = -h ] && { printf '\\t-U, --unixsock\\n' >&2; exit 1; }\n"
#define NC_NONE  "#!/bin/sh\n[ \"$1\" = -h ] && { printf '\\t-u udp\\n' >&2; exit 1; }\n"
#define REST     "echo nc; for word; do printf '<%s>\\n' \"$word\"; done\n"

static char *folder; /* of these programs */

static void
install (const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_assert_true (g_file_set_contents_full (path, text, -1, G_FILE_SET_CONTENTS_NONE, 0700, NULL));
}

static void
uninstall_all (void)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  for (const char *name; (name = g_dir_read_name (dir)) != NULL;)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      g_assert_cmpint (g_remove (path), ==, 0);
    }
}

/* What a login shell that knows these programs only prints of a target. */
static char *
run (const char *shell, const StasisSshTarget *target)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *command = stasis_ssh_remote_command (target);
  g_assert_null (strchr (command, '\n'));
  g_autofree char *search = g_strconcat ("PATH=", folder, NULL);
  const char *argv[] = { shell, "-c", command, NULL };
  const char *envp[] = { search, NULL };
  char *out = NULL;
  int status;
  g_assert_true (g_spawn_sync (NULL, (char **) argv, (char **) envp, G_SPAWN_STDERR_TO_DEV_NULL,
                               NULL, NULL, &out, NULL, &status, &error));
  g_assert_no_error (error);
  return out;
}

static void
test_paths (void)
{
  static const char *const paths[]
      = { "/a",      "/it's", "/\"q\"",    "/$(echo x)", "/`echo x`", "/a; echo x #",
          "/a b  c", "/\\",   "/\\'",      "/*",         "/~",        "/-q",
          "/&",      "/!x",   "/\303\251", "/a=b",       "/%41",      "/$1" };
  static const char *const shells[] = { "/bin/sh", "/bin/bash", "/bin/dash" };
  install ("stasis-connect", SHOW);
  install ("sh", "#!/bin/sh\nexec /bin/sh \"$@\"\n");
  for (guint s = 0; s < G_N_ELEMENTS (shells); s++)
    for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
      {
        if (!g_file_test (shells[s], G_FILE_TEST_IS_EXECUTABLE))
          continue;
        const StasisSshTarget target = { .host = "h", .socket_path = paths[i] };
        g_autofree char *wanted = g_strdup_printf ("stasis-connect\n<-U>\n<%s>\n", paths[i]);
        g_autofree char *got = run (shells[s], &target);
        g_assert_cmpstr (got, ==, wanted);
      }
  uninstall_all ();
}

/* The ways in their order. */
static void
test_ways (void)
{
  const StasisSshTarget target = { .host = "h", .socket_path = "/s x" };
  static const struct
  {
    const char *name, *text, *wanted;
  } ways[] = {
    { "true", "", "" },
    { "virt-ssh-helper", SHOW, "virt-ssh-helper\n<qemu:///system?socket=%2Fs%20x>\n" },
    { "nc", NC_NONE REST, "virt-ssh-helper\n<qemu:///system?socket=%2Fs%20x>\n" },
    { "nc", NC_PLAIN REST, "nc\n<-U>\n</s x>\n" },
    { "nc", NC_OLD REST, "nc\n<-q0>\n<-U>\n</s x>\n" },
    { "nc", NC_FULL REST, "nc\n<-N>\n<-U>\n</s x>\n" },
    { "stasis-connect", SHOW, "stasis-connect\n<-U>\n</s x>\n" },
  };
  install ("sh", "#!/bin/sh\nexec /bin/sh \"$@\"\n");
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      install (ways[i].name, ways[i].text);
      g_autofree char *got = run ("/bin/sh", &target);
      g_assert_cmpstr (got, ==, ways[i].wanted);
    }
  uninstall_all ();
}

/* Without a socket; where the host has none at the usual places, who knows them is asked. */
static void
test_usual (void)
{
  static const struct
  {
    gboolean is_session, is_read_only;
    const char *ours, *theirs;
  } usual[] = {
    { FALSE, FALSE, "<--system>\n", "<qemu:///system>\n" },
    { FALSE, TRUE, "<-r>\n<--system>\n", "<-r>\n<qemu:///system>\n" },
    { TRUE, FALSE, "<--session>\n", "<qemu:///session>\n" },
    { TRUE, TRUE, "<-r>\n<--session>\n", "<-r>\n<qemu:///session>\n" },
  };
  for (guint i = 0; i < G_N_ELEMENTS (usual); i++)
    {
      const StasisSshTarget target = { .host = "h",
                                       .is_session = usual[i].is_session,
                                       .is_read_only = usual[i].is_read_only };
      install ("sh", "#!/bin/sh\nexec /bin/sh \"$@\"\n");
      install ("virt-ssh-helper", SHOW);
      g_autofree char *theirs = run ("/bin/sh", &target);
      g_assert_true (g_str_has_prefix (theirs, "virt-ssh-helper\n"));
      g_assert_cmpstr (theirs + strlen ("virt-ssh-helper\n"), ==, usual[i].theirs);
      install ("stasis-connect", SHOW);
      g_autofree char *ours = run ("/bin/sh", &target);
      g_assert_true (g_str_has_prefix (ours, "stasis-connect\n"));
      g_assert_cmpstr (ours + strlen ("stasis-connect\n"), ==, usual[i].ours);
      uninstall_all ();
    }
}

static void
test_check (void)
{
  static const char *const good[] = { "host", "host.example", "10.0.0.1", "fe80::1%eth0", "::1" };
  static const char *const bad[] = {
    "",  "-oProxyCommand=x", "a b", "a\nb", "a,b", "*", "a/b", "a@b", "[::1]", "#a", "a\x1b", "a|b",
    "a!"
  };
  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      const StasisSshTarget target = { .host = good[i] };
      g_assert_true (stasis_ssh_target_check (&target, NULL));
    }
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;
      const StasisSshTarget target = { .host = bad[i] };
      g_assert_false (stasis_ssh_target_check (&target, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("remote-command-XXXXXX", NULL);
  g_test_add_func ("/transport/remote-command/paths", test_paths);
  g_test_add_func ("/transport/remote-command/ways", test_ways);
  g_test_add_func ("/transport/remote-command/usual", test_usual);
  g_test_add_func ("/transport/remote-command/check", test_check);
  const int status = g_test_run ();
  g_rmdir (folder);
  g_free (folder);
  return status;
}
