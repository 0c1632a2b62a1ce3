/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * safe-open.c: opening what somebody named, without being led astray by others
 *
 * Theory of operation
 *
 * Root is told to write to /srv/vm/serial.log, and a folder of that path belongs to a plain user:
 * with a link in place of a name below he would choose which of root's files is written.  So the
 * kernel never follows a link here: the path is walked by descriptors, one component after the
 * other, and a link is read and followed only where it belongs to root or to ourselves
 * (/var/run, /var/lib/libvirt/images -> /data).  Real folders may belong to whomever: below them
 * there is only what their owners could have put there.  A hard link is the one thing that leads
 * out of them without a link to be seen; who writes asks for the number of names.
 *
 * Links in /proc have no owner but the process and lead where their text does not say (a pipe, a
 * file without a name): the kernel follows them.
 */

#include "config.h"

#include "util/safe-open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "util/fd.h"

#define LINKS_MAX 40u /* as the kernel */
#define FOLDER    (O_PATH | O_DIRECTORY | O_CLOEXEC)

typedef struct
{
  const char *path; /* (borrowed) as it was named */
  char *rest;       /* (owned) what is to be walked yet */
  char *name;       /* (owned) the component that was taken from it last */
  int at;           /* (owned) the folder that it is in */
  guint links;
} Walk;

static void
walk_clear (Walk *walk)
{
  g_free (walk->rest);
  g_free (walk->name);
  stasis_fd_clear (&walk->at);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Walk, walk_clear)

static gboolean
throw_path (const Walk *walk, GError **error)
{
  return stasis_throw_errno (error, _ ("cannot open '%s'"), walk->path);
}

/* (transfer full): where the component lies that we are at. */
static char *
component_path (const Walk *walk)
{
  g_autofree char *folder = stasis_safe_folder_path (walk->at);
  return g_build_filename (folder != NULL ? folder : "", walk->name, NULL);
}

static gboolean
throw_component (const Walk *walk, GError **error)
{
  const int code = errno;
  g_autofree char *component = component_path (walk);
  errno = code;
  return stasis_throw_errno (error, _ ("cannot open '%1$s': '%2$s'"), walk->path, component);
}

static gboolean
go_to (Walk *walk, int fd_take, GError **error)
{
  if (fd_take < 0)
    return throw_path (walk, error);
  stasis_fd_clear (&walk->at);
  walk->at = fd_take;
  return TRUE;
}

/* Walk @rest (transfer full) from the root or from where we are. */
static gboolean
set_rest (Walk *walk, char *rest, GError **error)
{
  g_free (walk->rest);
  walk->rest = rest;
  if (*rest == '\0')
    {
      errno = ENOENT;
      return throw_path (walk, error);
    }
  return *rest != '/' || go_to (walk, open ("/", FOLDER), error);
}

static gboolean
begin (Walk *walk, GError **error)
{
  return set_rest (walk, g_strdup (walk->path), error)
         && (walk->at >= 0 || go_to (walk, open (".", FOLDER), error));
}

/* The next component; FALSE where it is the last.  "." where there is none: the root. */
static gboolean
take_name (Walk *walk)
{
  const char *from = walk->rest + strspn (walk->rest, "/");
  const gsize size = strcspn (from, "/");
  const char *next = from + size + strspn (from + size, "/");
  g_free (walk->name);
  walk->name = size > 0 ? g_strndup (from, size) : g_strdup (".");
  memmove (walk->rest, next, strlen (next) + 1);
  return *walk->rest != '\0';
}

static char *
name_of_user (uid_t uid)
{
  char buffer[4096];
  struct passwd entry;
  struct passwd *found = NULL;
  if (getpwuid_r (uid, &entry, buffer, sizeof buffer, &found) == 0 && found != NULL)
    return g_strdup_printf ("'%s'", found->pw_name);
  return g_strdup_printf ("%u", uid);
}

static gboolean
refuse (const Walk *walk, uid_t owner, GError **error)
{
  g_autofree char *link = component_path (walk);
  g_autofree char *user = name_of_user (owner);
  const char *rule = geteuid () == 0
                         ? _ ("only links of root are followed")
                         : _ ("only links of root and of the user himself are followed");
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
               _ ("cannot open '%1$s': '%2$s' is a symbolic link that belongs to user %3$s; %4$s"),
               walk->path, link, user, rule);
  return FALSE;
}

/* A link whose text is not where it leads. */
static gboolean
is_of_kernel (int link)
{
  struct statfs fs;
  return fstatfs (link, &fs) == 0 && fs.f_type == PROC_SUPER_MAGIC;
}

/* The component cannot be opened as what it should be: if it is a link, in *@out_link (-1
 * otherwise), it is one that may be followed. */
static gboolean
look_at_link (Walk *walk, int *out_link, GError **error)
{
  stasis_autofd int link = openat (walk->at, walk->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;
  *out_link = -1;
  if (link < 0 || fstat (link, &st) < 0)
    return throw_path (walk, error);
  if (!S_ISLNK (st.st_mode))
    return TRUE;
  if (st.st_uid != 0 && st.st_uid != geteuid ())
    return refuse (walk, st.st_uid, error);
  if (++walk->links > LINKS_MAX)
    {
      errno = ELOOP;
      return throw_path (walk, error);
    }
  *out_link = stasis_fd_steal (&link);
  return TRUE;
}

/* What the link says comes before the rest. */
static gboolean
follow_text (Walk *walk, int link, GError **error)
{
  char text[PATH_MAX];
  const gssize size = readlinkat (link, "", text, sizeof text - 1);
  if (size < 0)
    return throw_path (walk, error);
  text[size] = '\0';
  return set_rest (
      walk, *walk->rest != '\0' ? g_strconcat (text, "/", walk->rest, NULL) : g_strdup (text),
      error);
}

static gboolean
enter_folder (Walk *walk, GError **error)
{
  /* O_DIRECTORY also has the kernel mount what is mounted when it is needed. */
  int fd = openat (walk->at, walk->name, FOLDER | O_NOFOLLOW);
  stasis_autofd int link = -1;
  if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
    {
      if (!look_at_link (walk, &link, error))
        return FALSE;
      if (link >= 0 && !is_of_kernel (link))
        return follow_text (walk, link, error);
      errno = ENOTDIR;
      if (link >= 0)
        fd = openat (walk->at, walk->name, FOLDER);
    }
  return fd >= 0 ? go_to (walk, fd, error) : throw_component (walk, error);
}

/* Walk up to the last component. */
static gboolean
walk_to_last (Walk *walk, GError **error)
{
  while (take_name (walk))
    if (!enter_folder (walk, error))
      return FALSE;
  return TRUE;
}

/* O_PATH opens even a link that is not to be followed. */
static void
drop_link (int *fd)
{
  struct stat st;
  if (*fd < 0 || fstat (*fd, &st) < 0 || !S_ISLNK (st.st_mode))
    return;
  stasis_fd_clear (fd);
  errno = ELOOP;
}

/* Open the last component.  -1 in *@out_fd: it is a link, and there is more to be walked. */
static gboolean
open_last (Walk *walk, int flags, int *out_fd, GError **error)
{
  do
    *out_fd = openat (walk->at, walk->name, flags | O_NOFOLLOW | O_CLOEXEC);
  while (*out_fd < 0 && errno == EINTR);
  drop_link (out_fd);
  if (*out_fd >= 0)
    return TRUE;

  const int code = errno;
  stasis_autofd int link = -1;
  if ((code == ELOOP || code == ENOTDIR) && !look_at_link (walk, &link, error))
    return FALSE;
  if (link >= 0 && !is_of_kernel (link))
    return follow_text (walk, link, error);
  errno = code;
  if (link >= 0)
    *out_fd = openat (walk->at, walk->name, flags | O_CLOEXEC);
  return *out_fd >= 0 || throw_path (walk, error);
}

/* open(2) of what is there. */
int
stasis_safe_open (const char *path, int flags, GError **error)
{
  g_auto (Walk) walk = { .path = path, .at = -1 };
  if (!begin (&walk, error))
    return -1;
  int fd = -1;
  while (fd < 0)
    if (!walk_to_last (&walk, error) || !open_last (&walk, flags, &fd, error))
      return -1;
  return fd;
}

/* What has been walked to has a name in a folder. */
static int
finish_folder (Walk *walk, char **out_name, GError **error)
{
  if (g_str_equal (walk->name, ".") || g_str_equal (walk->name, ".."))
    {
      errno = EISDIR;
      throw_path (walk, error);
      return -1;
    }
  *out_name = g_steal_pointer (&walk->name);
  return stasis_fd_steal (&walk->at);
}

/* The folder that @path lies in. */
int
stasis_safe_open_folder (const char *path, char **out_name, GError **error)
{
  g_auto (Walk) walk = { .path = path, .at = -1 };
  if (!begin (&walk, error) || !walk_to_last (&walk, error))
    return -1;
  return finish_folder (&walk, out_name, error);
}

/* The folder that what @path leads to lies in. */
int
stasis_safe_open_place (const char *path, char **out_name, GError **error)
{
  g_auto (Walk) walk = { .path = path, .at = -1 };
  if (!begin (&walk, error))
    return -1;
  while (walk_to_last (&walk, error))
    {
      struct stat st;
      if (fstatat (walk.at, walk.name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISLNK (st.st_mode))
        return finish_folder (&walk, out_name, error);

      stasis_autofd int link = -1;
      if (!look_at_link (&walk, &link, error) || (link >= 0 && !follow_text (&walk, link, error)))
        return -1;
      if (link < 0)
        return finish_folder (&walk, out_name, error);
    }
  return -1;
}

/* The path that the folder behind a descriptor has now. */
char *
stasis_safe_folder_path (int folder)
{
  g_autofree char *self = g_strdup_printf ("/proc/self/fd/%d", folder);
  return g_file_read_link (self, NULL);
}
