/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: stasis-verify, verifies the save image that a running guest's memory is mapped from
 *
 *   stasis-verify FD NAME [RECORD SINCE]
 *
 * A supervisor starts it and is to stay small, hence a program of its own.  FD is the image, or a
 * flat file made of it, open for reading; NAME stands for it in messages.  The exit status is 0 for
 * an image that is as it was written, 1 for one that is not (standard output says why), else it
 * could not look.  It ends with its supervisor, and gives way to the guest: one thread, of low
 * priority.  Where others verify the same image for guests of theirs, it waits for what they find
 * (once.h).
 *
 * Fault point: verify
 */

#include "config.h"

#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib/gi18n.h>

#include "image/flat.h"
#include "image/verify.h"
#include "util/fault.h"
#include "verify/once.h"

#define EXIT_DAMAGED   1
#define EXIT_CANNOT    2
#define NICE           10
#define IOPRIO_PROCESS 1
#define IOPRIO_LOWEST  ((2 << 13) | 7) /* best effort, the last of its classes */

static void
give_way (void)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  setpriority (PRIO_PROCESS, 0, NICE);
  syscall (SYS_ioprio_set, IOPRIO_PROCESS, 0, IOPRIO_LOWEST);
}

static gboolean
verify_image (int fd, const char *name, GError **error)
{
  g_autoptr (StasisImage) image = stasis_image_open_fd (fd, name, error);
  return image != NULL
         && stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 1, NULL, NULL, NULL, error);
}

static gboolean
verify_flat (int fd, GError **error)
{
  g_autoptr (StasisFlat) flat = stasis_flat_open (fd, error);
  return flat != NULL && stasis_flat_verify (flat, 1, NULL, error);
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  if (argc != 3 && argc != 5)
    {
      g_printerr ("stasis-verify: started by hand? It belongs to the stasis supervisor.\n");
      return EXIT_CANNOT;
    }
  give_way ();

  const char *record = argc == 5 ? argv[3] : NULL;
  g_autoptr (StasisLock) lock = NULL;
  if (record != NULL
      && stasis_verify_once_begin (record, g_ascii_strtoll (argv[4], NULL, 10), &lock))
    return EXIT_SUCCESS;

  const gint64 began_us = g_get_monotonic_time ();
  const int fd = atoi (argv[1]);
  g_autoptr (GError) error = NULL;
  if (!stasis_fault ("verify", NULL))
    return EXIT_CANNOT;
  if (stasis_flat_is (fd) ? verify_flat (fd, &error) : verify_image (fd, argv[2], &error))
    {
      if (record != NULL)
        stasis_verify_once_note (record, began_us);
      return EXIT_SUCCESS;
    }
  g_print ("%s", error->message);
  return EXIT_DAMAGED;
}
