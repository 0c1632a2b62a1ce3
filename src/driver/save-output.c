/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-output.c: writing save images of all kinds around the body that QEMU writes
 *
 * Theory of operation
 *
 * Each kind is a table of functions.  It says in which way QEMU is to write: in place or as a plain
 * stream into our file, without our copying anything, where the kind allows it; through us where
 * the stream is compressed or cut into records, and always where there is no file.
 */

#include "config.h"

#include "driver/save-output.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gi18n-lib.h>

#include "driver/side-thread.h"
#include "image/libvirt-writer.h"
#include "image/streamed-writer.h"
#include "image/trailer.h"
#include "util/fault.h"
#include "util/fd.h"

/* QEMU does not miss the description at the end of its stream, so what is held back of an image
 * that is not compressed has to begin before it. */
#define KEEP_PLAIN (1024u * 1024)

typedef struct
{
  StasisSaveWay way; /* into a file; else it is THROUGH */
  gboolean (*begin) (StasisSaveOutput *self, const StasisSaveHead *head, GCancellable *cancellable,
                     GError **error);
  gboolean (*renew) (StasisSaveOutput *self, const StasisSaveHead *head, GError **error);
  guint64 (*offset) (const StasisSaveOutput *self);
  StasisStreamOut *(*sink) (StasisSaveOutput *self); /* for THROUGH */
  gboolean (*finish) (StasisSaveOutput *self, const StasisJson *disks, const StasisBodyNotes *notes,
                      StasisJob *job, GCancellable *cancellable, GError **error);
} Ops;

struct _StasisSaveOutput
{
  const Ops *ops;
  StasisSaveForm form;
  StasisSavePlace *place;        /* (borrowed) */
  StasisStreamOut *file;         /* (owned) (nullable) the whole file as a sink */
  StasisStreamOut *out;          /* (borrowed) the file or the descriptor */
  guint8 uuid[STASIS_UUID_SIZE]; /* of the domain */
  gboolean punch_stale;
  gboolean is_snapshot;
  StasisImageWriter *seekable; /* (owned) (nullable), so the following */
  StasisStreamedWriter *streamed;
  StasisLibvirtWriter *libvirt;
};

static StasisImageFacts
get_facts (const StasisSaveHead *head, GBytes *xml)
{
  StasisImageFacts facts = {
    .xml = xml,
    .qemu_facts = head->qemu_facts,
    .parent = head->parent,
    .body_kind = head->parent != NULL                  ? STASIS_IMAGE_BODY_PACKED_RAM
                 : head->way == STASIS_SAVE_WAY_MAPPED ? STASIS_IMAGE_BODY_MAPPED_RAM
                                                       : STASIS_IMAGE_BODY_STREAM,
  };
  memcpy (facts.domain_uuid, head->domain_uuid, sizeof facts.domain_uuid);
  return facts;
}

/* It goes through us, and has to be right at once; or there is nothing in it. */
static gboolean
no_renew (StasisSaveOutput *self, const StasisSaveHead *head, GError **error)
{
  return TRUE;
}

static gboolean
sync_file (const StasisSaveOutput *self, GError **error)
{
  const int fd = stasis_save_place_file_fd (self->place);
  return fd < 0 || fsync (fd) == 0
         || stasis_throw_errno (error, _ ("cannot write the image to disk"));
}

static guint64
no_offset (const StasisSaveOutput *self)
{
  return 0;
}

static StasisStreamOut *
no_sink (StasisSaveOutput *self)
{
  return NULL;
}

/* Ours, in a file. */

static gboolean
seekable_begin (StasisSaveOutput *self, const StasisSaveHead *head, GCancellable *cancellable,
                GError **error)
{
  g_autoptr (GBytes) xml = g_bytes_new_static (head->xml, strlen (head->xml));
  const StasisImageFacts facts = get_facts (head, xml);
  self->seekable
      = stasis_image_writer_begin (stasis_save_place_file_fd (self->place), &facts, error);
  return self->seekable != NULL;
}

static gboolean
seekable_renew (StasisSaveOutput *self, const StasisSaveHead *head, GError **error)
{
  g_autoptr (GBytes) xml = g_bytes_new_static (head->xml, strlen (head->xml));
  const StasisImageFacts facts = get_facts (head, xml);
  return stasis_image_writer_renew (self->seekable, &facts, error);
}

static guint64
seekable_offset (const StasisSaveOutput *self)
{
  return stasis_image_writer_body_offset (self->seekable);
}

static void
on_hash_progress (guint64 done, guint64 total, gpointer data)
{
  StasisJobStats *stats = stasis_job_stats (data);
  stats->bytes_total = total;
  stats->bytes_processed = done;
  stats->bytes_remaining = total - MIN (done, total);
  stasis_job_update (data);
}

static gboolean
seekable_finish (StasisSaveOutput *self, const StasisJson *disks, const StasisBodyNotes *notes,
                 StasisJob *job, GCancellable *cancellable, GError **error)
{
  const StasisImageTail tail = { .disks = disks,
                                 .notes = notes,
                                 .punch_stale = self->punch_stale,
                                 .is_snapshot = self->is_snapshot };
  return stasis_image_writer_finish (self->seekable, 0, &tail, on_hash_progress, job, cancellable,
                                     error);
}

static const Ops seekable_ops = { STASIS_SAVE_WAY_BEST, seekable_begin, seekable_renew,
                                  seekable_offset,      no_sink,        seekable_finish };

/* Ours, in one piece. */

static gboolean
streamed_begin (StasisSaveOutput *self, const StasisSaveHead *head, GCancellable *cancellable,
                GError **error)
{
  g_autoptr (GBytes) xml = g_bytes_new_static (head->xml, strlen (head->xml));
  const StasisImageFacts facts = get_facts (head, xml);
  self->streamed
      = stasis_streamed_writer_begin (self->out, &facts, self->form.level, 0, cancellable, error);
  return self->streamed != NULL;
}

static StasisStreamOut *
streamed_sink (StasisSaveOutput *self)
{
  return stasis_streamed_writer_body (self->streamed);
}

static gboolean
streamed_finish (StasisSaveOutput *self, const StasisJson *disks, const StasisBodyNotes *notes,
                 StasisJob *job, GCancellable *cancellable, GError **error)
{
  return stasis_streamed_writer_finish (self->streamed, disks, cancellable, error)
         && sync_file (self, error);
}

static const Ops streamed_ops = { STASIS_SAVE_WAY_THROUGH, streamed_begin, no_renew, no_offset,
                                  streamed_sink,           streamed_finish };

/* libvirt's. */

static StasisLibvirtFacts
get_libvirt_facts (const StasisSaveOutput *self, const StasisSaveHead *head, GBytes *xml)
{
  return (StasisLibvirtFacts){
    .format = stasis_image_kind_libvirt_format (self->form.kind),
    .xml = xml,
    .was_running = head->resume_running,
    .level = self->form.level,
  };
}

static gboolean
libvirt_begin (StasisSaveOutput *self, const StasisSaveHead *head, GCancellable *cancellable,
               GError **error)
{
  g_autoptr (GBytes) xml = g_bytes_new_static (head->xml, strlen (head->xml));
  const StasisLibvirtFacts facts = get_libvirt_facts (self, head, xml);
  const int fd = stasis_save_place_file_fd (self->place);
  self->libvirt = fd >= 0
                      ? stasis_libvirt_writer_begin (fd, &facts, error)
                      : stasis_libvirt_writer_begin_stream (self->out, &facts, cancellable, error);
  return self->libvirt != NULL;
}

static gboolean
libvirt_renew (StasisSaveOutput *self, const StasisSaveHead *head, GError **error)
{
  g_autoptr (GBytes) xml = g_bytes_new_static (head->xml, strlen (head->xml));
  const StasisLibvirtFacts facts = get_libvirt_facts (self, head, xml);
  return stasis_libvirt_writer_renew (self->libvirt, &facts, error);
}

static guint64
libvirt_offset (const StasisSaveOutput *self)
{
  return stasis_libvirt_writer_body_offset (self->libvirt);
}

static StasisStreamOut *
libvirt_sink (StasisSaveOutput *self)
{
  return stasis_libvirt_writer_body (self->libvirt);
}

static gboolean
libvirt_finish (StasisSaveOutput *self, const StasisJson *disks, const StasisBodyNotes *notes,
                StasisJob *job, GCancellable *cancellable, GError **error)
{
  return stasis_libvirt_writer_finish (self->libvirt, cancellable, error);
}

static const Ops libvirt_plain_ops = { STASIS_SAVE_WAY_PLAIN, libvirt_begin, libvirt_renew,
                                       libvirt_offset,        libvirt_sink,  libvirt_finish };
static const Ops libvirt_packed_ops = { STASIS_SAVE_WAY_THROUGH, libvirt_begin, no_renew,
                                        libvirt_offset,          libvirt_sink,  libvirt_finish };
static const Ops libvirt_sparse_ops = { STASIS_SAVE_WAY_MAPPED, libvirt_begin, libvirt_renew,
                                        libvirt_offset,         no_sink,       libvirt_finish };

/* The form of 2007. */

static gboolean
trailer_begin (StasisSaveOutput *self, const StasisSaveHead *head, GCancellable *cancellable,
               GError **error)
{
  memcpy (self->uuid, head->domain_uuid, sizeof self->uuid);
  return TRUE;
}

static StasisStreamOut *
trailer_sink (StasisSaveOutput *self)
{
  return self->out;
}

/* In a file QEMU has written the stream itself. */
static gboolean
trailer_finish (StasisSaveOutput *self, const StasisJson *disks, const StasisBodyNotes *notes,
                StasisJob *job, GCancellable *cancellable, GError **error)
{
  const int fd = stasis_save_place_file_fd (self->place);
  if (fd < 0)
    return stasis_trailer_write (self->out, self->uuid, cancellable, error);

  struct stat st;
  if (fstat (fd, &st) < 0)
    return stasis_throw_errno (error, _ ("cannot look at the new image"));
  g_autoptr (StasisStreamOut) end = stasis_stream_out_new_file (fd, (guint64) st.st_size);
  return stasis_trailer_write (end, self->uuid, cancellable, error) && sync_file (self, error);
}

static const Ops trailer_ops
    = { STASIS_SAVE_WAY_PLAIN, trailer_begin, no_renew, no_offset, trailer_sink, trailer_finish };

static const Ops *
find_ops (StasisImageKind kind)
{
  switch (kind)
    {
    case STASIS_IMAGE_KIND_STASIS:
      return &seekable_ops;
    case STASIS_IMAGE_KIND_STASIS_STREAM:
      return &streamed_ops;
    case STASIS_IMAGE_KIND_LIBVIRT_RAW:
      return &libvirt_plain_ops;
    case STASIS_IMAGE_KIND_LIBVIRT_SPARSE:
      return &libvirt_sparse_ops;
    case STASIS_IMAGE_KIND_LIBVIRT_GZIP:
    case STASIS_IMAGE_KIND_LIBVIRT_BZIP2:
    case STASIS_IMAGE_KIND_LIBVIRT_XZ:
    case STASIS_IMAGE_KIND_LIBVIRT_LZOP:
    case STASIS_IMAGE_KIND_LIBVIRT_ZSTD:
      return &libvirt_packed_ops;
    case STASIS_IMAGE_KIND_TRAILER:
      return &trailer_ops;
    }
  g_assert_not_reached ();
}

/* An image that is to be. */
StasisSaveOutput *
stasis_save_output_new (const StasisSaveForm *form, StasisSavePlace *place)
{
  StasisSaveOutput *self = g_new0 (StasisSaveOutput, 1);
  const int fd = stasis_save_place_file_fd (place);
  self->ops = find_ops (form->kind);
  self->form = *form;
  self->place = place;
  if (fd >= 0)
    self->file = stasis_stream_out_new_file (fd, 0);
  self->out = fd >= 0 ? self->file : stasis_save_sink_stream (place->sink);
  return self;
}

/* How QEMU has to write the body. */
StasisSaveWay
stasis_save_output_way (const StasisSaveOutput *self)
{
  return stasis_save_place_is_stream (self->place) ? STASIS_SAVE_WAY_THROUGH : self->ops->way;
}

/* The end that completes an image. */
gsize
stasis_save_output_keep (const StasisSaveForm *form)
{
  return form->kind == STASIS_IMAGE_KIND_STASIS_STREAM ? PIPE_BUF : KEEP_PLAIN;
}

/* QEMU knows what it has sent, not what it has become. */
static void
show_written (StasisJobStats *stats, gpointer data)
{
  const StasisSaveOutput *self = data;
  stats->bytes_written = stasis_save_place_written (self->place);
}

typedef struct
{
  StasisSaveOutput *self;
  const StasisSaveHead *head;
} Begin;

static gboolean
begin_aside (StasisSideThread *side, gpointer data, GCancellable *cancellable, GError **error)
{
  const Begin *begin = data;
  return begin->self->ops->begin (begin->self, begin->head, cancellable, error);
}

/* Write what stands before the body.  Where that has to wait for a reader, the job is to be seen
 * and aborted meanwhile. */
gboolean
stasis_save_output_begin (StasisSaveOutput *self, const StasisSaveHead *head, StasisJob *job,
                          GError **error)
{
  Begin begin = { .self = self, .head = head };
  if (!stasis_fault ("save-begin", error))
    return FALSE;
  if (stasis_save_output_way (self) == STASIS_SAVE_WAY_THROUGH)
    return stasis_side_thread_run ("begin", begin_aside, &begin, job, show_written, self, error);
  return self->ops->begin (self, head, stasis_job_cancellable (job), error);
}

/* It has become wrong. */
gboolean
stasis_save_output_renew (StasisSaveOutput *self, const StasisSaveHead *head, GError **error)
{
  return self->ops->renew (self, head, error);
}

/* Where the body goes. */
StasisSaveBody
stasis_save_output_body (StasisSaveOutput *self)
{
  StasisSaveBody body = {
    .fd = stasis_save_place_file_fd (self->place),
    .offset = self->ops->offset (self),
    .poll = show_written,
    .poll_data = self,
  };
  if (stasis_save_output_way (self) == STASIS_SAVE_WAY_THROUGH)
    body.sink = self->ops->sink (self);
  return body;
}

/* A live save by QEMU. */
void
stasis_save_output_expect_stale (StasisSaveOutput *self)
{
  self->punch_stale = TRUE;
}

/* A background snapshot by QEMU. */
void
stasis_save_output_expect_snapshot (StasisSaveOutput *self)
{
  self->is_snapshot = TRUE;
}

typedef struct
{
  StasisSaveOutput *self;
  const StasisJson *disks;
  const StasisBodyNotes *notes;
  StasisJob *job;
} End;

static gboolean
finish_aside (StasisSideThread *side, gpointer data, GCancellable *cancellable, GError **error)
{
  const End *end = data;
  return end->self->ops->finish (end->self, end->disks, end->notes, end->job, cancellable, error);
}

/* Write what stands behind the body.  Where that has to wait for a reader or a compressor, the job
 * is to be seen and aborted meanwhile. */
gboolean
stasis_save_output_finish (StasisSaveOutput *self, const StasisJson *disks,
                           const StasisBodyNotes *notes, StasisJob *job, GError **error)
{
  End end = { .self = self, .disks = disks, .notes = notes, .job = job };
  if (stasis_save_output_way (self) == STASIS_SAVE_WAY_THROUGH)
    return stasis_side_thread_run ("finish", finish_aside, &end, job, show_written, self, error);
  return self->ops->finish (self, disks, notes, job, stasis_job_cancellable (job), error);
}

/* NULL is fine. */
void
stasis_save_output_free (StasisSaveOutput *self)
{
  if (self == NULL)
    return;

  stasis_image_writer_free (self->seekable);
  stasis_streamed_writer_free (self->streamed);
  stasis_libvirt_writer_free (self->libvirt);
  stasis_stream_out_free (self->file);
  g_free (self);
}
