/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fd-test.c: tests of src/util/fd.c
 */

#include "config.h"

#include "util/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int
make_file (const char *text)
{
  const int fd = memfd_create ("file", MFD_CLOEXEC);
  g_assert_true (stasis_fd_pwrite_exact (fd, text, strlen (text), 0, NULL));
  return fd;
}

static void
test_clear (void)
{
  int fd = make_file ("");
  const int kept = fd;
  errno = EXDEV;
  stasis_fd_clear (&fd);
  g_assert_cmpint (errno, ==, EXDEV);
  g_assert_cmpint (fd, ==, -1);
  g_assert_cmpint (fcntl (kept, F_GETFD), ==, -1);
  stasis_fd_clear (&fd); /* none: nothing */

  stasis_autofd int owned = make_file ("");
  int taken = stasis_fd_steal (&owned);
  g_assert_cmpint (owned, ==, -1);
  g_assert_cmpint (fcntl (taken, F_GETFD), ==, FD_CLOEXEC);
  stasis_fd_clear (&taken);
}

static void
test_open (void)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = stasis_fd_open ("/dev/null", O_RDWR, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint (stasis_fd_open ("/no/such/file", O_RDONLY, 0, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "'/no/such/file'"));
}

static void
test_pread (void)
{
  stasis_autofd int fd = make_file ("0123456789");
  char buffer[16] = { 0 };
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_fd_pread_exact (fd, buffer, 4, 6, &error));
  g_assert_cmpmem (buffer, 4, "6789", 4);
  g_assert_true (stasis_fd_pread_exact (fd, buffer, 0, 1000, &error));
  g_assert_cmpint (lseek (fd, 0, SEEK_CUR), ==, 0);

  g_assert_false (stasis_fd_pread_exact (fd, buffer, 5, 6, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
  g_assert_nonnull (strstr (error->message, "4 of 5"));
  g_clear_error (&error);
  g_assert_false (stasis_fd_pread_exact (fd, buffer, 1, 10, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
  g_clear_error (&error);
  /* Beyond what the kernel can count. */
  g_assert_false (stasis_fd_pread_exact (fd, buffer, 1, G_MAXUINT64, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
}

static void
test_pwrite (void)
{
  stasis_autofd int fd = make_file ("0123456789");
  stasis_autofd int full = open ("/dev/full", O_RDWR | O_CLOEXEC);
  char buffer[16] = { 0 };
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_fd_pwrite_exact (fd, "abc", 3, 9, &error));
  g_assert_cmpint (lseek (fd, 0, SEEK_CUR), ==, 0);
  g_assert_true (stasis_fd_pread_exact (fd, buffer, 12, 0, &error));
  g_assert_cmpmem (buffer, 12, "012345678abc", 12);

  g_assert_false (stasis_fd_pwrite_exact (full, "abc", 3, 0, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  g_clear_error (&error);
  g_assert_false (stasis_fd_write_exact (full, "abc", 3, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
}

#define PIPE_OCTETS (1024 * 1024)

static gpointer
write_pipe (gpointer data)
{
  const int fd = GPOINTER_TO_INT (data);
  g_autofree char *octets = g_strnfill (PIPE_OCTETS, 'x');
  g_assert_true (stasis_fd_write_exact (fd, octets, PIPE_OCTETS, NULL));
  close (fd);
  return NULL;
}

/* A pipe takes and gives less than asked for. */
static void
test_pipe (void)
{
  int ends[2];
  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  GThread *thread = g_thread_new ("writer", write_pipe, GINT_TO_POINTER (ends[1]));
  g_autofree char *octets = g_malloc (PIPE_OCTETS);
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_fd_read_exact (ends[0], octets, PIPE_OCTETS, &error));
  g_assert_cmpint (octets[PIPE_OCTETS - 1], ==, 'x');
  g_thread_join (thread);
  g_assert_false (stasis_fd_read_exact (ends[0], octets, 1, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
  g_clear_error (&error);
  close (ends[0]);
  g_assert_false (stasis_fd_read_exact (-1, octets, 1, &error));
  g_assert_nonnull (error);
}

static void
test_send (void)
{
  int ends[2];
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), ==, 0);
  stasis_autofd int one = make_file ("one");
  stasis_autofd int two = make_file ("two");
  const int fds[] = { one, two };
  g_autoptr (GError) error = NULL;
  g_assert_true (stasis_fd_send (ends[0], "text", 4, fds, 2, &error));

  char text[8];
  union
  {
    char octets[CMSG_SPACE (sizeof (int) * 8)];
    struct cmsghdr align;
  } control;
  struct iovec iov = { text, sizeof text };
  struct msghdr msg = { .msg_iov = &iov,
                        .msg_iovlen = 1,
                        .msg_control = control.octets,
                        .msg_controllen = sizeof control.octets };
  g_assert_cmpint (recvmsg (ends[1], &msg, MSG_CMSG_CLOEXEC), ==, 4);
  g_assert_cmpmem (text, 4, "text", 4);
  const struct cmsghdr *cmsg = CMSG_FIRSTHDR (&msg);
  g_assert_cmpuint (cmsg->cmsg_len, ==, CMSG_LEN (2 * sizeof (int)));
  int got[2];
  memcpy (got, CMSG_DATA (cmsg), sizeof got);
  char content[3];
  g_assert_true (stasis_fd_pread_exact (got[0], content, 3, 0, NULL));
  g_assert_cmpmem (content, 3, "one", 3);
  g_assert_true (stasis_fd_pread_exact (got[1], content, 3, 0, NULL));
  g_assert_cmpmem (content, 3, "two", 3);
  close (got[0]);
  close (got[1]);

  /* Who has gone is an error, not a signal. */
  close (ends[1]);
  g_assert_false (stasis_fd_send (ends[0], "text", 4, NULL, 0, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  close (ends[0]);
}

static void
check_socket (const char *path)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int listener = stasis_unix_listen (path, 1, &error);
  g_assert_no_error (error);
  struct stat st;
  g_assert_cmpint (lstat (path, &st), ==, 0);
  g_assert_cmpint (st.st_mode, ==, S_IFSOCK | 0600);

  stasis_autofd int client = stasis_unix_connect (path, &error);
  g_assert_no_error (error);
  stasis_autofd int server = accept4 (listener, NULL, NULL, SOCK_CLOEXEC);
  g_assert_true (stasis_fd_send (client, "hello", 5, NULL, 0, &error));
  char text[5];
  g_assert_true (stasis_fd_read_exact (server, text, 5, &error));
  g_assert_cmpmem (text, 5, "hello", 5);

  /* A new listener takes the name over. */
  stasis_autofd int second = stasis_unix_listen (path, 1, &error);
  g_assert_no_error (error);
  stasis_autofd int client_two = stasis_unix_connect (path, &error);
  g_assert_no_error (error);
  stasis_autofd int server_two = accept4 (second, NULL, NULL, SOCK_CLOEXEC);
  g_assert_cmpint (server_two, >=, 0);
  g_unlink (path);
}

static void
test_socket (void)
{
  g_autofree char *folder = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "socket", NULL);
  check_socket (path);
  g_rmdir (folder);
}

/* Paths around and far above the 108 octets of sun_path. */
static void
test_socket_long_path (void)
{
  g_autofree char *base = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  g_autofree char *name = g_strnfill (200, 'd');
  g_autofree char *folder = g_build_filename (base, name, NULL);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_autofree char *path = g_build_filename (folder, "socket", NULL);
  check_socket (path);
  g_rmdir (folder);

  for (gsize length = 105; length <= 110; length++)
    {
      g_autofree char *last = g_strnfill (length - strlen (base) - 1, 's');
      g_autofree char *edge = g_build_filename (base, last, NULL);
      g_assert_cmpuint (strlen (edge), ==, length);
      check_socket (edge);
    }
  g_rmdir (base);
}

static void
test_socket_errors (void)
{
  g_autofree char *base = g_dir_make_tmp ("stasis-XXXXXX", NULL);
  g_autofree char *name = g_strnfill (150, 's');
  g_autofree char *long_name = g_build_filename (base, name, NULL);
  g_autofree char *file = g_build_filename (base, "file", NULL);
  g_assert_true (g_file_set_contents (file, "text", -1, NULL));
  const struct
  {
    const char *path;
    int code;
  } errors[] = {
    { "", G_IO_ERROR_INVALID_FILENAME },
    { "/no/such/folder/socket", G_IO_ERROR_NOT_FOUND },
    { long_name, G_IO_ERROR_FILENAME_TOO_LONG },
    { file, G_IO_ERROR_ADDRESS_IN_USE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (errors); i++)
    {
      g_autoptr (GError) error = NULL;
      g_assert_cmpint (stasis_unix_listen (errors[i].path, 1, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, errors[i].code);
      g_clear_error (&error);
      g_assert_cmpint (stasis_unix_connect (errors[i].path, &error), ==, -1);
      g_assert_nonnull (error);
    }
  /* A file in a socket's place stays. */
  g_assert_true (g_file_test (file, G_FILE_TEST_IS_REGULAR));
  g_unlink (file);
  g_rmdir (base);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/util/fd/clear", test_clear);
  g_test_add_func ("/util/fd/open", test_open);
  g_test_add_func ("/util/fd/pread", test_pread);
  g_test_add_func ("/util/fd/pwrite", test_pwrite);
  g_test_add_func ("/util/fd/pipe", test_pipe);
  g_test_add_func ("/util/fd/send", test_send);
  g_test_add_func ("/util/fd/socket", test_socket);
  g_test_add_func ("/util/fd/socket-long-path", test_socket_long_path);
  g_test_add_func ("/util/fd/socket-errors", test_socket_errors);
  return g_test_run ();
}
