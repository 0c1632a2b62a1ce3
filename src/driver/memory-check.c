/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * memory-check.c: what the verification of a running guest's memory image has found
 *
 * A file of the run folder: `memory-check.json`, written once, by the supervisor, when the check is
 * over.  As long as it is not there the check goes on, or begins when a supervisor comes.
 */

#include "config.h"

#include "driver/memory-check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <glib/gi18n-lib.h>

#include "util/atomic-file.h"
#include "util/fd.h"
#include "util/json.h"

#define CHECK_FILE "memory-check.json"

static const char *const finding_names[] = { "going on", "good", "damaged", "failed" };

/* Keep it for everybody. */
gboolean
stasis_memory_check_write (const char *folder, StasisMemoryFinding result, const char *message,
                           GError **error)
{
  g_autoptr (StasisJson) json = stasis_json_new_object ();
  stasis_json_set_string (json, "result", finding_names[result]);
  if (message != NULL)
    {
      g_autofree char *text = g_utf8_make_valid (message, -1);
      stasis_json_set_string (json, "message", text);
    }
  g_autofree char *text = stasis_json_to_string (json);
  g_autofree char *path = g_build_filename (folder, CHECK_FILE, NULL);
  return stasis_atomic_file_write (path, text, strlen (text), 0600, error);
}

/* What has come of it so far. */
StasisMemoryFinding
stasis_memory_check_read (const char *folder, char **out_message)
{
  g_autofree char *path = g_build_filename (folder, CHECK_FILE, NULL);
  g_autofree char *text = NULL;
  gsize size = 0;
  if (out_message != NULL)
    *out_message = NULL;
  if (!g_file_get_contents (path, &text, &size, NULL))
    return STASIS_MEMORY_FINDING_NONE_YET;
  g_autoptr (StasisJson) json = stasis_json_parse (text, (gssize) size, NULL);
  const char *name = stasis_json_string (stasis_json_get (json, "result"), "");
  if (out_message != NULL)
    *out_message = g_strdup (stasis_json_string (stasis_json_get (json, "message"), NULL));
  for (guint i = 0; i < G_N_ELEMENTS (finding_names); i++)
    if (g_str_equal (name, finding_names[i]))
      return (StasisMemoryFinding) i;
  return STASIS_MEMORY_FINDING_UNKNOWN;
}

/* TRUE where it is done beside the guest. */
gboolean
stasis_memory_check_is_wanted (const StasisStatus *status)
{
  return status->memory_image != NULL && status->memory_check == STASIS_MEMORY_CHECK_BACKGROUND;
}

/* TRUE as long as it goes on. */
gboolean
stasis_memory_check_goes_on (const StasisStatus *status, const char *folder)
{
  return stasis_memory_check_is_wanted (status)
         && stasis_memory_check_read (folder, NULL) == STASIS_MEMORY_FINDING_NONE_YET
         && stasis_process_is_alive (&status->qemu);
}

/* Wait for its end. */
gboolean
stasis_memory_check_wait (const StasisStatus *status, const char *folder, GCancellable *cancellable,
                          StasisMemoryFinding *out_finding, char **out_message, GError **error)
{
  *out_finding = STASIS_MEMORY_FINDING_GOOD;
  *out_message = NULL;
  if (!stasis_memory_check_is_wanted (status))
    return TRUE;
  while (stasis_memory_check_goes_on (status, folder))
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      g_usleep (STASIS_MEMORY_CHECK_LOOK_US);
    }
  *out_finding = stasis_memory_check_read (folder, out_message);
  return TRUE;
}

/* The image as QEMU has it open. */
int
stasis_memory_check_open_image (const StasisStatus *status, GError **error)
{
  g_autofree char *folder = g_strdup_printf ("/proc/%d/fd", (int) status->qemu.pid);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, error);
  const char *name;
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (folder, name, NULL);
      struct stat st = { 0 };
      if (stat (path, &st) < 0 && (errno == EACCES || errno == EPERM))
        {
          stasis_throw_errno (error,
                              _ ("the kernel does not let this process at the descriptors of QEMU "
                                 "(it asks as for ptrace: see kernel.yama.ptrace_scope)"));
          return -1;
        }
      if (!S_ISREG (st.st_mode) || st.st_dev != status->memory_image_id.device
          || st.st_ino != status->memory_image_id.inode)
        continue;
      return stasis_fd_open (path, O_RDONLY, 0, error);
    }
  if (dir != NULL)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND, _ ("QEMU has not opened '%s'"),
                 status->memory_image);
  return -1;
}
