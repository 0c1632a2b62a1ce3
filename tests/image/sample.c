/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sample.c: small save images for tests, good ones and broken ones
 */

#include "config.h"

#include "sample.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/chunk-record.h"
#include "image/disks.h"
#include "image/error.h"
#include "image/extents.h"
#include "image/facts.h"
#include "image/front.h"
#include "image/header.h"
#include "image/octets.h"
#include "image/parent.h"
#include "image/reader-private.h"
#include "image/streamed-writer.h"
#include "image/verify.h"
#include "sample-packed.h"
#include "util/fd.h"

#define PAGE 4096u
#define MIB  (1024u * 1024)

static const guint8 domain_uuid[16]
    = { 0xd0, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9, 10, 11, 12, 13, 14, 15 };

/* An empty file without a name. */
int
sample_file (void)
{
  const int fd = memfd_create ("sample", MFD_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  return fd;
}

static void
write_at (int fd, const void *octets, gsize size, guint64 offset)
{
  g_autoptr (GError) error = NULL;
  stasis_fd_pwrite_exact (fd, octets, size, offset, &error);
  g_assert_no_error (error);
}

static guint64
file_size (int fd)
{
  struct stat st;
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  return (guint64) st.st_size;
}

static void
copy_range (int from, int to, guint64 start, guint64 end)
{
  g_autoptr (GError) error = NULL;
  guint64 data, hole;
  for (; start < end; start = hole)
    {
      stasis_extent_next (from, start, end, &data, &hole, &error);
      g_assert_no_error (error);
      g_autofree guint8 *buffer = g_malloc (hole - data + 1);
      stasis_fd_pread_exact (from, buffer, hole - data, data, &error);
      g_assert_no_error (error);
      write_at (to, buffer, hole - data, data);
    }
}

void
sample_copy_to (int fd, int out)
{
  const guint64 size = file_size (fd);
  copy_range (fd, out, 0, size);
  g_assert_cmpint (ftruncate (out, (off_t) size), ==, 0);
}

/* A copy, hole for hole. */
int
sample_copy (int fd)
{
  const int copy = sample_file ();
  sample_copy_to (fd, copy);
  return copy;
}

static void
append_be (GByteArray *out, guint64 value, guint n_octets)
{
  for (guint i = n_octets; i > 0; i--)
    {
      const guint8 octet = (guint8) (value >> (8 * (i - 1)));
      g_byte_array_append (out, &octet, 1);
    }
}

static void
append_name (GByteArray *out, const char *name)
{
  append_be (out, strlen (name), 1);
  g_byte_array_append (out, (const guint8 *) name, (guint) strlen (name));
}

/* Write one block at @offset; where the next one stands. */
static guint64
write_block (int fd, guint64 offset, GByteArray *head, const char *name, guint64 length)
{
  append_name (head, name);
  append_be (head, length, 8);
  const guint64 bitmap_offset = offset + head->len + 28;
  const gsize bitmap_length = stasis_round_up (length / PAGE, 64) / 8;
  const guint64 pages_offset = stasis_round_up (bitmap_offset + bitmap_length, MIB);
  append_be (head, 1, 4);
  append_be (head, PAGE, 8);
  append_be (head, bitmap_offset, 8);
  append_be (head, pages_offset, 8);
  write_at (fd, head->data, head->len, offset);
  g_byte_array_set_size (head, 0);

  g_autofree guint8 *bitmap = g_malloc0 (bitmap_length);
  g_autofree guint8 *page = g_malloc (PAGE);
  for (guint64 i = 0; i < length / PAGE; i++)
    {
      if (i * 2654435761u % 97 > 30)
        continue;
      bitmap[i / 8] |= (guint8) (1u << i % 8);
      for (gsize k = 0; k < PAGE; k++)
        page[k] = (guint8) (i * 31 + k * k * 7 + k / 3);
      write_at (fd, page, PAGE, pages_offset + i * PAGE);
    }
  write_at (fd, bitmap, bitmap_length, bitmap_offset);
  return pages_offset + length;
}

/* What QEMU writes with mapped-ram for three small blocks. */
void
sample_write_mapped_ram (int fd, guint64 offset)
{
  static const struct
  {
    const char *name;
    guint64 length;
  } blocks[] = { { "pc.ram", 3 * MIB }, { "vga.vram", MIB / 4 }, { "/rom@etc/table", MIB / 8 } };
  guint64 total = 0;
  for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
    total += blocks[i].length;

  g_autoptr (GByteArray) head = g_byte_array_new ();
  g_byte_array_append (head, (const guint8 *) "QEVM\0\0\0\3\7", 9);
  append_be (head, 4, 4);
  g_byte_array_append (head, (const guint8 *) "none", 4);
  append_be (head, 5, 1);
  append_name (head, "configuration/capabilities");
  append_be (head, 1, 4);
  append_be (head, 1, 4);
  append_name (head, "mapped-ram");
  append_be (head, 1, 1);
  append_be (head, 2, 4);
  append_name (head, "ram");
  append_be (head, 0, 4);
  append_be (head, 4, 4);
  append_be (head, total | 4, 8);
  for (gsize i = 0; i < G_N_ELEMENTS (blocks); i++)
    offset = write_block (fd, offset, head, blocks[i].name, blocks[i].length);
  write_at (fd, "\0\0\0\0\0\0\0\x10\x7e\0\0\0\2devices", 20, offset);
}

/* Something that begins like a plain stream. */
void
sample_write_stream (int fd, guint64 offset)
{
  write_at (fd, "QEVM\0\0\0\3\7\0\0\0\4none and so on", 27, offset);
}

StasisJson *
sample_facts (void)
{
  StasisJson *facts = stasis_json_new_object ();
  StasisJson *capabilities = stasis_json_new_array ();
  stasis_json_array_append_string (capabilities, "mapped-ram");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_EMULATOR, "/usr/bin/qemu-system-x86_64");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_VERSION, "10.0.2");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_MACHINE, "pc-q35-10.0");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_ACCELERATOR, "tcg");
  stasis_json_set_string (facts, STASIS_IMAGE_FACTS_RUN_STATE, "running");
  stasis_json_set (facts, STASIS_IMAGE_FACTS_CAPABILITIES, capabilities);
  return facts;
}

StasisJson *
sample_disks (void)
{
  StasisImageDisk disk = { .target = (char *) "vda",
                           .path = (char *) "/srv/web.qcow2",
                           .format = (char *) "qcow2",
                           .size = 196624,
                           .has_mtime = TRUE,
                           .mtime_ns = 1790000000123456789,
                           .overlay = (char *) "00112233445566778899aabbccddeeff" };
  g_autoptr (GPtrArray) disks = g_ptr_array_new ();
  g_ptr_array_add (disks, &disk);
  return stasis_image_disks_to_json (disks);
}

/* Of an image that nobody has. */
static StasisJson *
sample_parent (void)
{
  StasisJson *parent = stasis_json_new_object ();
  stasis_json_set_string (parent, STASIS_IMAGE_PARENT_IMAGE, "nobody");
  stasis_json_set_string (parent, STASIS_IMAGE_PARENT_HASHES, "00");
  stasis_json_set_string (parent, STASIS_IMAGE_PARENT_FILE, "/nowhere");
  return parent;
}

/* A writer that has begun on @fd. */
StasisImageWriter *
sample_begin (int fd, StasisImageBodyKind kind)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) xml = g_bytes_new_static (SAMPLE_XML, strlen (SAMPLE_XML));
  g_autoptr (StasisJson) qemu_facts = sample_facts ();
  StasisImageFacts facts = { .xml = xml, .qemu_facts = qemu_facts, .body_kind = kind };
  g_autoptr (StasisJson) parent = sample_parent ();
  if (kind == STASIS_IMAGE_BODY_PACKED_RAM)
    facts.parent = parent;
  memcpy (facts.domain_uuid, domain_uuid, sizeof domain_uuid);
  StasisImageWriter *writer = stasis_image_writer_begin (fd, &facts, &error);
  g_assert_no_error (error);
  return writer;
}

#define PIECE_AT_1 27u
#define PIECE_AT_2 227u
#define STREAM_END 232u

/* The stream of a CHUNKS sample. */
GBytes *
sample_stream (void)
{
  guint8 octets[STREAM_END];
  memset (octets, 'z', sizeof octets);
  memcpy (octets, "QEVM\0\0\0\3\7\0\0\0\4none and so on", PIECE_AT_1);
  memcpy (octets + PIECE_AT_2, "hello", STREAM_END - PIECE_AT_2);
  return g_bytes_new (octets, sizeof octets);
}

/* The body of a CHUNK record. */
GBytes *
sample_chunk (guint32 encoding, guint64 position, const void *octets, gsize size)
{
  const StasisChunkHead head
      = { .encoding = encoding, .length = (guint32) size, .position = position };
  guint8 *body = g_malloc (STASIS_CHUNK_HEAD_SIZE + size);
  gsize stored = size;
  stasis_chunk_head_encode (&head, body);
  if (encoding == STASIS_CHUNK_ZSTD)
    {
      g_autoptr (StasisChunkCodec) codec = stasis_chunk_codec_new (3);
      stored
          = stasis_chunk_codec_pack (codec, octets, size, body + STASIS_CHUNK_HEAD_SIZE, size - 1);
      g_assert_cmpuint (stored, >, 0);
    }
  else
    memcpy (body + STASIS_CHUNK_HEAD_SIZE, octets, size);
  return g_bytes_new_take (body, STASIS_CHUNK_HEAD_SIZE + stored);
}

static void
append_chunk (GByteArray *image, guint32 encoding, const guint8 *stream, gsize from, gsize to,
              StasisRecordDigest *digest)
{
  g_autoptr (GBytes) body = sample_chunk (encoding, from, stream + from, to - from);
  g_assert_true (stasis_record_append (image, STASIS_RECORD_CHUNK, body, digest, NULL));
}

/* As docs/save-image.md has it, with three chunks. */
static int
streamed_image (void)
{
  g_autoptr (GBytes) xml = g_bytes_new_static (SAMPLE_XML, strlen (SAMPLE_XML));
  g_autoptr (StasisJson) qemu_facts = sample_facts ();
  g_autoptr (StasisJson) disks = sample_disks ();
  g_autoptr (GBytes) disks_body = stasis_image_disks_body (disks);
  g_autoptr (GBytes) stream = sample_stream ();
  const guint8 *octets = g_bytes_get_data (stream, NULL);
  StasisImageFacts facts = { .xml = xml, .qemu_facts = qemu_facts };
  memcpy (facts.domain_uuid, domain_uuid, sizeof domain_uuid);

  g_autoptr (GByteArray) image = g_byte_array_new ();
  g_auto (StasisRecordDigest) digest = { NULL, 0 };
  stasis_record_digest_init (&digest);
  g_byte_array_set_size (image, STASIS_IMAGE_HEADER_SIZE);
  g_assert_true (stasis_image_front_encode (&facts, image, &digest, NULL));
  StasisImageHeader header = { .is_stream = TRUE };
  stasis_image_front_fill_header (&header, &facts, STASIS_IMAGE_BODY_CHUNKS);
  header.body_offset = image->len;
  header.front_length = image->len - STASIS_IMAGE_HEADER_SIZE;
  stasis_image_header_encode (&header, image->data);

  append_chunk (image, STASIS_CHUNK_RAW, octets, 0, PIECE_AT_1, &digest);
  append_chunk (image, STASIS_CHUNK_ZSTD, octets, PIECE_AT_1, PIECE_AT_2, &digest);
  append_chunk (image, STASIS_CHUNK_RAW, octets, PIECE_AT_2, STREAM_END, &digest);
  g_assert_true (stasis_record_append (image, STASIS_RECORD_DISKS, disks_body, &digest, NULL));
  g_autoptr (GBytes) end = stasis_record_end_encode (header.uuid, &digest);
  g_assert_true (stasis_record_append (image, STASIS_RECORD_END, end, NULL, NULL));

  const int fd = sample_file ();
  write_at (fd, image->data, image->len, 0);
  return fd;
}

/* Text, zeros and noise by turns, as memory is. */
GBytes *
sample_long_stream (gsize size)
{
  guint8 *octets = g_malloc0 (size);
  guint32 noise = 1;
  for (gsize i = 0; i < size; i++)
    {
      noise = noise * 1664525 + 1013904223;
      const gsize kind = i >> 14 & 3;
      octets[i] = (guint8) (kind == 0   ? noise >> 24
                            : kind == 1 ? i / 7
                            : kind == 2 ? noise >> 30
                                        : 0);
    }
  memcpy (octets, "QEVM\0\0\0\3", MIN (size, 8));
  return g_bytes_new_take (octets, size);
}

/* A CHUNKS image by our writer. */
int
sample_written (int level, gsize stream_size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) xml = g_bytes_new_static (SAMPLE_XML, strlen (SAMPLE_XML));
  g_autoptr (StasisJson) qemu_facts = sample_facts ();
  g_autoptr (StasisJson) disks = sample_disks ();
  g_autoptr (GBytes) stream = sample_long_stream (stream_size);
  StasisImageFacts facts = { .xml = xml, .qemu_facts = qemu_facts };
  memcpy (facts.domain_uuid, domain_uuid, sizeof domain_uuid);

  const int fd = sample_file ();
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (fd, 0);
  g_autoptr (StasisStreamedWriter) writer
      = stasis_streamed_writer_begin (out, &facts, level, 0, NULL, &error);
  g_assert_no_error (error);
  stasis_streamed_writer_write (writer, g_bytes_get_data (stream, NULL), stream_size, NULL, &error);
  g_assert_no_error (error);
  stasis_streamed_writer_finish (writer, disks, NULL, &error);
  g_assert_no_error (error);
  return fd;
}

/* All octets of a file. */
GBytes *
sample_octets (int fd)
{
  const gsize size = file_size (fd);
  guint8 *octets = g_malloc (size + 1);
  g_assert_true (stasis_fd_pread_exact (fd, octets, size, 0, NULL));
  return g_bytes_new_take (octets, size);
}

/* A complete image. */
int
sample_image (StasisImageBodyKind kind)
{
  if (kind == STASIS_IMAGE_BODY_CHUNKS)
    return streamed_image ();

  const int fd = sample_file ();
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisJson) disks = sample_disks ();
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, kind);
  const guint64 offset = stasis_image_writer_body_offset (writer);
  g_auto (StasisBodyNotes) notes = { .hashes = NULL };
  if (kind == STASIS_IMAGE_BODY_STREAM)
    sample_write_stream (fd, offset);
  else if (kind == STASIS_IMAGE_BODY_PACKED_RAM)
    sample_write_packed (fd, offset, &notes);
  else
    sample_write_mapped_ram (fd, offset);

  const StasisImageTail tail = { .disks = disks, .notes = &notes };
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  return fd;
}

/* Open it (by a duplicate). */
StasisImage *
sample_open (int fd, GError **error)
{
  return stasis_image_open_fd (dup (fd), "web.stasis", error);
}

/* Whether it opens and verifies, deep. */
gboolean
sample_verify (int fd, GError **error)
{
  g_autoptr (StasisImage) image = sample_open (fd, error);
  return image != NULL
         && stasis_image_verify (image, STASIS_IMAGE_VERIFY_DEEP, 1, NULL, NULL, NULL, error);
}

static void
free_record (gpointer data)
{
  SampleRecord *record = data;
  g_clear_pointer (&record->body, g_bytes_unref);
  g_free (record);
}

SampleRecord *
sample_record (guint32 type, const void *octets, gsize size)
{
  SampleRecord *record = g_new0 (SampleRecord, 1);
  record->type = type;
  record->body = g_bytes_new (octets, size);
  return record;
}

/* The CHUNK records come before the tail's. */
static void
split_chunks (const StasisImage *image, GPtrArray *tail)
{
  g_autoptr (GError) error = NULL;
  for (guint i = 0; image->chunks != NULL && i < image->chunks->len; i++)
    {
      guint64 offset = g_array_index (image->chunks, StasisImageChunk, i).offset;
      g_autoptr (StasisRecord) record
          = stasis_record_read (image->fd, &offset, image->header.file_size, &error);
      g_assert_no_error (error);
      SampleRecord *copy = g_new0 (SampleRecord, 1);
      copy->type = STASIS_RECORD_CHUNK;
      copy->body = g_bytes_ref (record->body);
      g_ptr_array_add (tail, copy);
    }
}

static void
split_records (const StasisImage *image, GPtrArray *front, GPtrArray *tail)
{
  split_chunks (image, tail);
  g_autoptr (GError) error = NULL;
  for (guint i = 0; i < image->records->len; i++)
    {
      const StasisRecord *known = g_ptr_array_index (image->records, i);
      guint64 offset = known->offset;
      g_autoptr (StasisRecord) record
          = stasis_record_read (image->fd, &offset, image->header.file_size, &error);
      g_assert_no_error (error);
      SampleRecord *copy = g_new0 (SampleRecord, 1);
      copy->type = record->type;
      copy->body = record->type == STASIS_RECORD_END ? NULL : g_bytes_ref (record->body);
      g_ptr_array_add (known->offset < image->header.body_offset ? front : tail, copy);
    }
}

/* Set the flags of the record at @offset and make its checksum right. */
static void
patch_flags (int fd, guint64 offset, const SampleRecord *record, StasisRecordDigest *digest)
{
  guint8 head[STASIS_RECORD_HEADER_SIZE];
  g_assert_cmpint (pread (fd, head, sizeof head, (off_t) offset), ==, sizeof head);
  stasis_put_le32 (head + 4, record->flags);

  g_autoptr (StasisHasher) hasher = stasis_hasher_new ();
  stasis_hasher_update (hasher, head, 16);
  stasis_hasher_update (hasher, g_bytes_get_data (record->body, NULL),
                        g_bytes_get_size (record->body));
  const StasisHash sum = stasis_hasher_digest (hasher);
  memcpy (head + 16, sum.octets, sizeof sum.octets);
  write_at (fd, head, sizeof head, offset);
  stasis_record_digest_add (digest, &sum);
}

static guint64
write_records (int fd, guint64 offset, const GPtrArray *records, const StasisImage *image,
               StasisRecordDigest *digest)
{
  g_autoptr (GError) error = NULL;
  for (guint i = 0; i < records->len; i++)
    {
      const SampleRecord *record = g_ptr_array_index (records, i);
      g_autoptr (GBytes) body = record->body != NULL
                                    ? g_bytes_ref (record->body)
                                    : stasis_record_end_encode (image->header.uuid, digest);
      const guint64 start = offset;
      stasis_record_write (fd, &offset, record->type, body, record->flags == 0 ? digest : NULL,
                           &error);
      g_assert_no_error (error);
      if (record->flags != 0)
        patch_flags (fd, start, record, digest);
    }
  return offset;
}

/* The records of a good image of that kind, changed by @edit, and sealed again. */
int
sample_edited (StasisImageBodyKind kind, SampleEdit edit)
{
  g_autoptr (GError) error = NULL;
  stasis_autofd int fd = sample_image (kind);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) front = g_ptr_array_new_with_free_func (free_record);
  g_autoptr (GPtrArray) tail = g_ptr_array_new_with_free_func (free_record);
  split_records (image, front, tail);
  edit (front, tail);

  const int out = sample_file ();
  StasisImageHeader header = image->header;
  g_auto (StasisRecordDigest) digest = { NULL, 0 };
  stasis_record_digest_init (&digest);
  if (!header.is_stream)
    copy_range (fd, out, header.body_offset, stasis_image_header_body_end (&header));
  header.front_length = write_records (out, STASIS_IMAGE_HEADER_SIZE, front, image, &digest)
                        - STASIS_IMAGE_HEADER_SIZE;
  const guint64 tail_offset
      = header.is_stream ? stasis_image_header_front_end (&header) : header.tail_offset;
  const guint64 size = write_records (out, tail_offset, tail, image, &digest);
  header.file_size = header.is_stream ? 0 : size;
  header.tail_length = header.is_stream ? 0 : size - tail_offset;
  if (header.is_stream)
    {
      header.body_offset = tail_offset;
      header.body_length = header.tail_offset = 0;
    }

  guint8 octets[STASIS_IMAGE_HEADER_SIZE];
  stasis_image_header_encode (&header, octets);
  write_at (out, octets, sizeof octets, 0);
  g_assert_cmpint (ftruncate (out, (off_t) size), ==, 0);
  return out;
}

/* An edit that sets a reserved flag in the framing of a record. */
void
sample_edit_flags (GPtrArray *front, GPtrArray *tail)
{
  SampleRecord *record = g_ptr_array_index (front, 1);
  record->flags = 1;
}

/* Change header fields of a file and give it a right checksum again. */
void
sample_patch_header (int fd, gsize at, const void *octets, gsize size)
{
  guint8 header[STASIS_IMAGE_HEADER_SIZE];
  g_assert_cmpint (pread (fd, header, sizeof header, 0), ==, sizeof header);
  memcpy (header + at, octets, size);
  memset (header + 4080, 0, 16);
  const StasisHash sum = stasis_hash (header, sizeof header);
  memcpy (header + 4080, sum.octets, sizeof sum.octets);
  write_at (fd, header, sizeof header, 0);
}
