/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * migrate-in-userfault.c: what a destination needs so that its guest can wait for single pages
 *
 * In postcopy QEMU waits by a userfaultfd, which the kernel gives to root, to all with
 * vm.unprivileged_userfaultfd, and to whoever may open /dev/userfaultfd.  A QEMU with a user of its
 * own may not; it is sent that device (src/preload/open-device.c).  It keeps it until the last page
 * has come, for an older QEMU asks for one again and again.
 */

#include "config.h"

#include "driver/migrate-in-check.h"
#include "driver/migrate-in-private.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "monitor/commands-fd.h"
#include "monitor/commands-migrate.h"
#include "util/fd.h"

#define DEVICE "/dev/userfaultfd"
#define SYSCTL "/proc/sys/vm/unprivileged_userfaultfd"

/* As the kernel gives it to this process, which is of the same user. */
static gboolean
is_given_to_us (void)
{
  stasis_autofd int fd = (int) syscall (SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
  return fd >= 0;
}

static gboolean
is_given_to_all (const char *root)
{
  g_autofree char *path = g_strconcat (root, SYSCTL, NULL);
  g_autofree char *text = NULL;
  return g_file_get_contents (path, &text, NULL, NULL) && *text == '1';
}

gboolean
stasis_migrate_in_check_userfault (const char *root, guint32 uid, GError **error)
{
  g_autofree char *path = g_strconcat (root, DEVICE, NULL);
  stasis_autofd int device = open (path, O_RDWR | O_CLOEXEC);
  if (device >= 0 || is_given_to_all (root) || (uid == geteuid () && is_given_to_us ()))
    return TRUE;
  g_set_error (error, STASIS_ERROR, STASIS_ERROR_UNSUPPORTED,
               _ ("--postcopy is not possible here: the kernel gives no userfaultfd to QEMU's user "
                  "(%1$u), neither by '%2$s' nor by vm.unprivileged_userfaultfd"),
               uid, DEVICE);
  return FALSE;
}

static gboolean
pass_device (const StasisMigrateIn *in, GError **error)
{
  stasis_autofd int fd = stasis_fd_open (DEVICE, O_RDWR, 0, error);
  return fd >= 0
         && stasis_monitor_getfd (in->monitor, STASIS_MIGRATE_USERFAULT_NAME, fd,
                                  stasis_job_cancellable (in->job), error);
}

/* QEMU looks whether it can when it is told that it is to. */
gboolean
stasis_migrate_in_switch_on (const StasisMigrateIn *in, const StasisMigrationCapability *on,
                             guint n_on, gboolean is_postcopy, GError **error)
{
  g_autoptr (GError) passed = NULL;
  if (is_postcopy && !pass_device (in, &passed))
    g_debug ("QEMU has to make its userfaultfd itself: %s", passed->message);
  if (stasis_monitor_migrate_set_capabilities (in->monitor, on, n_on,
                                               stasis_job_cancellable (in->job), error))
    return TRUE;
  if (!is_postcopy)
    return FALSE;
  g_prefix_error (error, _ ("--postcopy is not possible here: "));
  if (passed != NULL && error != NULL)
    {
      g_autoptr (GError) first = g_steal_pointer (error);
      g_set_error (error, first->domain, first->code, "%s; %s", first->message, passed->message);
    }
  return FALSE;
}
