/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ready-set-test.c: tests of src/util/ready-set.c
 */

#include "config.h"

#include "util/ready-set.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "util/fd.h"

typedef struct
{
  int set;
  int ends[2]; /* of a pipe */
  StasisReady ready;
  guint count;
  int *other; /* (nullable) a descriptor that is removed with the first octet */
} Pipe;

static void
on_ready (gpointer data)
{
  Pipe *self = data;
  char octet;
  g_assert_cmpint (read (self->ends[0], &octet, 1), ==, 1);
  self->count++;
  if (self->other != NULL && *self->other >= 0)
    {
      stasis_ready_set_remove (self->set, *self->other);
      stasis_fd_clear (self->other);
    }
}

static void
set_up (Pipe *self, int set)
{
  g_autoptr (GError) error = NULL;
  g_assert_cmpint (pipe2 (self->ends, O_CLOEXEC), ==, 0);
  self->set = set;
  self->ready = (StasisReady){ on_ready, self };
  g_assert_true (stasis_ready_set_add (set, self->ends[0], &self->ready, &error));
  g_assert_no_error (error);
}

static void
tear_down (Pipe *self)
{
  stasis_fd_clear (&self->ends[0]);
  stasis_fd_clear (&self->ends[1]);
}

static gboolean
is_ready (int set)
{
  struct pollfd one = { .fd = set, .events = POLLIN };
  return poll (&one, 1, 0) > 0;
}

static void
test_take (void)
{
  stasis_autofd int set = stasis_ready_set_new (NULL);
  Pipe one = { 0 };
  Pipe other = { 0 };
  set_up (&one, set);
  set_up (&other, set);
  g_assert_false (stasis_ready_set_take (set)); /* does not wait */
  g_assert_cmpuint (one.count + other.count, ==, 0);
  g_assert_false (is_ready (set));

  g_assert_cmpint (write (one.ends[1], "abc", 3), ==, 3);
  g_assert_cmpint (write (other.ends[1], "d", 1), ==, 1);
  g_assert_true (is_ready (set));
  g_assert_true (stasis_ready_set_take (set));
  g_assert_cmpuint (one.count, ==, 3);
  g_assert_cmpuint (other.count, ==, 1);
  g_assert_false (is_ready (set));
  tear_down (&one);
  tear_down (&other);
}

/* Whichever comes first removes the other one, which is ready as well. */
static void
test_remove (void)
{
  stasis_autofd int set = stasis_ready_set_new (NULL);
  Pipe one = { 0 };
  Pipe other = { 0 };
  set_up (&one, set);
  set_up (&other, set);
  one.other = &other.ends[0];
  other.other = &one.ends[0];
  g_assert_cmpint (write (one.ends[1], "a", 1), ==, 1);
  g_assert_cmpint (write (other.ends[1], "b", 1), ==, 1);
  stasis_ready_set_take (set);
  g_assert_cmpuint (one.count + other.count, ==, 1);
  tear_down (&one);
  tear_down (&other);
}

static void
test_bad (void)
{
  stasis_autofd int set = stasis_ready_set_new (NULL);
  g_autoptr (GError) error = NULL;
  StasisReady ready = { on_ready, NULL };
  g_assert_false (stasis_ready_set_add (set, -1, &ready, &error));
  g_assert_nonnull (error);
  stasis_ready_set_remove (set, -1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/util/ready-set/take", test_take);
  g_test_add_func ("/util/ready-set/remove", test_remove);
  g_test_add_func ("/util/ready-set/bad", test_bad);
  return g_test_run ();
}
