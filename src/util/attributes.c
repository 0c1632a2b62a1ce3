/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attributes.c: the extended attributes of a file, for its copy
 *
 * A file that is made in a folder may have attributes before anybody gives it some: a label, and an
 * ACL where the folder has a default one, which would let others at it.
 */

#include "config.h"

#include "util/attributes.h"

#include <errno.h>
#include <limits.h>
#include <linux/limits.h>
#include <string.h>
#include <sys/xattr.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define ACL "system.posix_acl_access"
#define EVM "security.evm" /* the kernel's seal on the inode: of no use to another one */

/* Where the file system has no such thing there is nothing to be kept. */
static gboolean
is_nothing (int code)
{
  return code == ENODATA || code == ENOTSUP || code == ENOSYS;
}

static gboolean
is_peoples (const char *name)
{
  return g_str_equal (name, ACL) || g_str_has_prefix (name, "user.");
}

static gboolean
has_value (int fd, const char *name, const void *value, gsize size)
{
  g_autofree void *found = g_malloc (XATTR_SIZE_MAX);
  return fgetxattr (fd, name, found, XATTR_SIZE_MAX) == (gssize) size
         && memcmp (found, value, size) == 0;
}

static gboolean
copy_one (int from, int to, const char *name, GError **error)
{
  g_autofree void *value = g_malloc (XATTR_SIZE_MAX);
  const gssize size = fgetxattr (from, name, value, XATTR_SIZE_MAX);
  /* Somebody has removed it at this moment. */
  if (size < 0 && is_nothing (errno))
    return TRUE;
  if (size >= 0
      && (has_value (to, name, value, (gsize) size)
          || fsetxattr (to, name, value, (gsize) size, 0) == 0))
    return TRUE;

  g_autoptr (GError) local = NULL;
  stasis_throw_errno (&local, _ ("cannot keep the file's attribute '%s'"), name);
  if (!is_peoples (name))
    {
      g_warning ("%s", local->message);
      return TRUE;
    }
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
drop_acl (int to, GError **error)
{
  return fremovexattr (to, ACL) == 0 || is_nothing (errno)
         || stasis_throw_errno (error, _ ("cannot remove the ACL of the new file"));
}

/* Those of one file for the other. */
gboolean
stasis_attributes_copy (int from, int to, GError **error)
{
  g_autofree char *names = g_malloc (XATTR_LIST_MAX);
  const gssize size = flistxattr (from, names, XATTR_LIST_MAX);
  if (size < 0 && !is_nothing (errno))
    return stasis_throw_errno (error, _ ("cannot list the file's attributes"));
  if (fgetxattr (from, ACL, NULL, 0) < 0 && !drop_acl (to, error))
    return FALSE;
  for (const char *name = names; name < names + MAX (size, 0); name += strlen (name) + 1)
    if (!g_str_equal (name, EVM) && !copy_one (from, to, name, error))
      return FALSE;
  return TRUE;
}
