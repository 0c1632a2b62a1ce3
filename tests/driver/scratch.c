/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scratch.c: a folder for one test, and what may lie in it
 */

#include "config.h"

#include "scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

char *
scratch_new (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = g_dir_make_tmp ("stasis-XXXXXX", &error);
  g_assert_no_error (error);
  return folder;
}

static int
remove_one (const char *path, const struct stat *st, int type, struct FTW *at)
{
  return remove (path);
}

void
scratch_remove (char *folder_take)
{
  g_assert_cmpint (nftw (folder_take, remove_one, 16, FTW_DEPTH | FTW_PHYS), ==, 0);
  g_free (folder_take);
}

char *
scratch_file (const char *folder, const char *name, const void *octets, gsize size)
{
  char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GError) error = NULL;
  g_file_set_contents (path, octets, (gssize) size, &error);
  g_assert_no_error (error);
  return path;
}

char *
scratch_text (const char *folder, const char *name, const char *text)
{
  return scratch_file (folder, name, text, strlen (text));
}

StasisPaths *
scratch_paths (const char *folder)
{
  g_setenv ("STASIS_STATE_DIR", folder, TRUE);
  return stasis_paths_new (FALSE);
}

StasisDomainDef *
scratch_domain (const char *machine, const char *os_attributes, const char *os_inside,
                const char *rest)
{
  g_autofree char *xml = g_strdup_printf (
      "<domain type='qemu'><name>web</name><uuid>d0010203-0405-4607-8809-0a0b0c0d0e0f</uuid>"
      "<memory>262144</memory><os%s><type arch='x86_64' machine='%s'>hvm</type>%s</os>%s</domain>",
      os_attributes, machine, os_inside, rest);
  g_autoptr (GError) error = NULL;
  StasisDomainDef *def
      = stasis_domain_def_parse (xml, -1, NULL, NULL, STASIS_DOMAIN_PARSE_DEFAULT, &error);
  g_assert_no_error (error);
  return def;
}

gboolean
scratch_run (const char *program, ...)
{
  g_autofree char *found = g_find_program_in_path (program);
  if (found == NULL)
    return FALSE;

  g_autoptr (GStrvBuilder) argv = g_strv_builder_new ();
  g_strv_builder_add (argv, found);
  va_list args;
  va_start (args, program);
  for (const char *word = va_arg (args, const char *); word != NULL;
       word = va_arg (args, const char *))
    g_strv_builder_add (argv, word);
  va_end (args);

  g_autoptr (GError) error = NULL;
  g_auto (GStrv) words = g_strv_builder_end (argv);
  g_autoptr (GSubprocess) process
      = g_subprocess_newv ((const char *const *) words, G_SUBPROCESS_FLAGS_STDOUT_SILENCE, &error);
  g_assert_no_error (error);
  g_subprocess_wait_check (process, NULL, &error);
  g_assert_no_error (error);
  return TRUE;
}

gboolean
scratch_is_in_valgrind (void)
{
  const char *preloaded = g_getenv ("LD_PRELOAD");
  return preloaded != NULL && strstr (preloaded, "vgpreload") != NULL;
}

gboolean
scratch_skip_without_pidfds (void)
{
  const int fd = (int) syscall (SYS_pidfd_open, getpid (), 0);
  if (fd < 0)
    puts ("1..0 # SKIP no pidfds here: valgrind 3.19 lacks them");
  else
    close (fd);
  return fd < 0;
}
