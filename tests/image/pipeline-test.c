/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipeline-test.c: tests of src/image/pipeline.c
 */

#include "config.h"

#include "image/pipeline.h"

#define N_SLOTS  5u
#define N_PIECES 2000u
#define BAD      77u /* the piece that cannot be worked on */

typedef struct
{
  guint64 number;
  guint64 square;
} Slot;

typedef struct
{
  StasisPipeline *pipeline;
  guint64 n_pieces;
  guint64 n_taken;  /* (atomic) */
  GError *error;    /* (owned) of the producer */
  gboolean failing; /* piece BAD fails */
  GCancellable *cancellable;
} Test;

static gpointer
slot_new (void)
{
  return g_new0 (Slot, 1);
}

/* Takes longer for some than for others. */
static gboolean
work (gpointer data, gpointer worker, gpointer user_data, GError **error)
{
  Slot *slot = data;
  const Test *test = user_data;
  volatile guint64 sum = 0;
  for (guint64 i = 0; i < slot->number * 7919 % 5000; i++)
    sum += i;
  slot->square = slot->number * slot->number;
  if (!test->failing || slot->number != BAD)
    return TRUE;
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "piece %u is bad", BAD);
  return FALSE;
}

static void
begin (Test *test, guint n_threads)
{
  g_autoptr (GError) error = NULL;
  const StasisPipelineArgs args = { .n_threads = n_threads,
                                    .n_slots = N_SLOTS,
                                    .slot_new = slot_new,
                                    .slot_free = g_free,
                                    .work = work,
                                    .data = test };
  test->pipeline = stasis_pipeline_new (&args, &error);
  g_assert_no_error (error);
}

static gpointer
produce (gpointer data)
{
  Test *test = data;
  for (guint64 i = 0; i < test->n_pieces; i++)
    {
      Slot *slot = stasis_pipeline_fill (test->pipeline, test->cancellable, &test->error);
      if (slot == NULL)
        return NULL;
      g_assert_cmpuint (i - __atomic_load_n (&test->n_taken, __ATOMIC_SEQ_CST), <=, N_SLOTS);
      slot->number = i;
      stasis_pipeline_submit (test->pipeline);
    }
  stasis_pipeline_close (test->pipeline, NULL);
  return NULL;
}

/* Take pieces in order until there is none, or an error; how many there were. */
static guint64
consume (Test *test, GError **error)
{
  gpointer data;
  for (guint64 i = 0;; i++)
    {
      if (!stasis_pipeline_take (test->pipeline, &data, NULL, error) || data == NULL)
        return i;
      const Slot *slot = data;
      g_assert_cmpuint (slot->number, ==, i);
      g_assert_cmpuint (slot->square, ==, i * i);
      __atomic_fetch_add (&test->n_taken, 1, __ATOMIC_SEQ_CST);
      stasis_pipeline_release (test->pipeline);
    }
}

static void
test_order (gconstpointer n_threads)
{
  g_autoptr (GError) error = NULL;
  Test test = { .n_pieces = N_PIECES };
  begin (&test, GPOINTER_TO_UINT (n_threads));
  GThread *producer = g_thread_new ("producer", produce, &test);
  g_assert_cmpuint (consume (&test, &error), ==, N_PIECES);
  g_assert_no_error (error);
  g_thread_join (producer);
  g_assert_no_error (test.error);
  g_assert_true (stasis_pipeline_drain (test.pipeline, NULL, &error));
  stasis_pipeline_free (test.pipeline);
}

/* All before it are handed over, and the error again and again after that. */
static void
test_bad_piece (void)
{
  g_autoptr (GError) error = NULL;
  Test test = { .n_pieces = N_PIECES, .failing = TRUE };
  begin (&test, 4);
  GThread *producer = g_thread_new ("producer", produce, &test);
  g_assert_cmpuint (consume (&test, &error), ==, BAD);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);
  g_clear_error (&error);
  gpointer slot;
  g_assert_false (stasis_pipeline_take (test.pipeline, &slot, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA);

  stasis_pipeline_fail (test.pipeline, g_error_new (G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE, "gone"));
  g_thread_join (producer);
  g_assert_error (test.error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  g_clear_error (&test.error);
  g_assert_false (stasis_pipeline_drain (test.pipeline, NULL, &test.error));
  g_assert_error (test.error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
  g_clear_error (&test.error);
  stasis_pipeline_free (test.pipeline);
}

/* What the producer closes with comes behind the last piece. */
static void
test_bad_end (void)
{
  g_autoptr (GError) error = NULL;
  Test test = { .n_pieces = 3 };
  begin (&test, 2);
  for (guint i = 0; i < 3; i++)
    {
      ((Slot *) stasis_pipeline_fill (test.pipeline, NULL, NULL))->number = i;
      stasis_pipeline_submit (test.pipeline);
    }
  stasis_pipeline_close (test.pipeline, g_error_new (G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT, "cut"));
  g_assert_cmpuint (consume (&test, &error), ==, 3);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT);
  stasis_pipeline_free (test.pipeline);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (20000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* Both ends wait for the other, and can be called away. */
static void
test_cancel (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) first = g_cancellable_new ();
  g_autoptr (GCancellable) second = g_cancellable_new ();
  Test test = { .n_pieces = N_PIECES, .cancellable = second };
  begin (&test, 2);

  gpointer slot;
  GThread *thread = g_thread_new ("cancel", cancel_soon, first);
  g_assert_false (stasis_pipeline_take (test.pipeline, &slot, first, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_thread_join (thread);

  thread = g_thread_new ("cancel", cancel_soon, second);
  produce (&test);
  g_assert_error (test.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&test.error);
  g_thread_join (thread);
  g_assert_null (stasis_pipeline_fill (test.pipeline, second, &test.error));
  g_assert_error (test.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&test.error);
  stasis_pipeline_free (test.pipeline);
}

static void
test_n_threads (void)
{
  g_assert_cmpuint (stasis_pipeline_choose_n_threads (3), ==, 3);
  g_assert_cmpuint (stasis_pipeline_choose_n_threads (100), ==, STASIS_PIPELINE_THREADS_MAX);
  g_assert_cmpuint (stasis_pipeline_choose_n_threads (0), ==,
                    CLAMP (g_get_num_processors (), 1, STASIS_PIPELINE_THREADS_MAX));
  stasis_pipeline_free (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/image/pipeline/order/1", GUINT_TO_POINTER (1), test_order);
  g_test_add_data_func ("/image/pipeline/order/8", GUINT_TO_POINTER (8), test_order);
  g_test_add_func ("/image/pipeline/bad-piece", test_bad_piece);
  g_test_add_func ("/image/pipeline/bad-end", test_bad_end);
  g_test_add_func ("/image/pipeline/cancel", test_cancel);
  g_test_add_func ("/image/pipeline/n-threads", test_n_threads);
  return g_test_run ();
}
