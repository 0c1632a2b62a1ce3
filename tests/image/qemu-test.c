/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * qemu-test.c: images around bodies that a real QEMU has written, and can read again
 *
 * STASIS_TEST_QEMU names the binary; by default qemu-system-x86_64 from PATH.  What a binary cannot
 * do (mapped-ram before 9.0) is skipped and says so.
 */

#include "config.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/disks.h"
#include "image/streamed-reader.h"
#include "image/streamed-writer.h"
#include "image/verify.h"
#include "sample.h"
#include "util/fd.h"
#include "util/json.h"

#define MIB         (1024u * 1024)
#define DATA_ADDR   (16 * MIB) /* where the guest's memory holds the seeded data */
#define DATA_LENGTH (8 * MIB)

typedef struct
{
  const char *name;
  const char *machine;
  StasisImageBodyKind kind;
  const char *capabilities; /* members of migrate-set-capabilities */
  const char *incoming;     /* more arguments of the restoring QEMU */
  gboolean direct;          /* past the page cache, through an fd set */
} Case;

#define MAPPED_RAM "-global migration.mapped-ram=on"

#define ON(name) "{\"capability\":\"" name "\",\"state\":true}"

static const Case cases[] = {
  { "mapped-ram/q35", "q35", STASIS_IMAGE_BODY_MAPPED_RAM, ON ("mapped-ram"), MAPPED_RAM, FALSE },
  { "mapped-ram/pc", "pc", STASIS_IMAGE_BODY_MAPPED_RAM, ON ("mapped-ram"), MAPPED_RAM, FALSE },
  { "mapped-ram/multifd", "q35", STASIS_IMAGE_BODY_MAPPED_RAM, ON ("mapped-ram") "," ON ("multifd"),
    MAPPED_RAM " -global migration.x-multifd=on", FALSE },
  { "mapped-ram/direct", "q35", STASIS_IMAGE_BODY_MAPPED_RAM, ON ("mapped-ram") "," ON ("multifd"),
    MAPPED_RAM " -global migration.x-multifd=on", TRUE },
  { "stream/q35", "q35", STASIS_IMAGE_BODY_STREAM, "", "", FALSE },
};

/* Through a FIFO, both ways. */
static const Case streamed = { "streamed/q35", "q35", STASIS_IMAGE_BODY_CHUNKS, "", "", FALSE };

/* A QEMU and its QMP, on stdin and stdout. */
typedef struct
{
  GSubprocess *process;  /* (owned) */
  GDataInputStream *out; /* (owned) */
} Qemu;

static char *folder;

static char *
find_qemu (void)
{
  const char *asked = g_getenv ("STASIS_TEST_QEMU");
  return asked != NULL ? g_strdup (asked) : g_find_program_in_path ("qemu-system-x86_64");
}

/* Send a command, NULL: none; what it returns, or NULL where it failed. */
static StasisJson *
qemu_command (Qemu *qemu, const char *command)
{
  g_autoptr (GError) error = NULL;
  if (command != NULL)
    {
      GOutputStream *in = g_subprocess_get_stdin_pipe (qemu->process);
      g_autofree char *line = g_strconcat (command, "\n", NULL);
      g_output_stream_write_all (in, line, strlen (line), NULL, NULL, &error);
      g_assert_no_error (error);
    }
  for (;;)
    {
      g_autofree char *line = g_data_input_stream_read_line (qemu->out, NULL, NULL, &error);
      g_assert_no_error (error);
      g_assert_nonnull (line);
      g_autoptr (StasisJson) reply = stasis_json_parse (line, -1, &error);
      g_assert_no_error (error);
      StasisJson *result = (StasisJson *) stasis_json_get (reply, command ? "return" : "QMP");
      if (result != NULL)
        return stasis_json_ref (result);
      if (stasis_json_get (reply, "error") != NULL)
        {
          g_test_message ("%s: %s", command, line);
          return NULL;
        }
    }
}

static void
qemu_must (Qemu *qemu, const char *command)
{
  g_autoptr (StasisJson) result = qemu_command (qemu, command);
  g_assert_nonnull (result);
}

static void
qemu_start (Qemu *qemu, const Case *c, const char *arguments, GSubprocessLauncher *launcher)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *binary = find_qemu ();
  g_autofree char *line = g_strdup_printf (
      "%s -machine %s -accel tcg -m 64 -nodefaults -no-user-config -display none -vga std "
      "-qmp stdio %s",
      binary, c->machine, arguments);
  g_auto (GStrv) argv = NULL;
  g_assert_true (g_shell_parse_argv (line, NULL, &argv, &error));
  qemu->process = g_subprocess_launcher_spawnv (launcher, (const char *const *) argv, &error);
  g_assert_no_error (error);
  qemu->out = g_data_input_stream_new (g_subprocess_get_stdout_pipe (qemu->process));
  g_autoptr (StasisJson) greeting = qemu_command (qemu, NULL);
  g_assert_nonnull (greeting);
  qemu_must (qemu, "{\"execute\":\"qmp_capabilities\"}");
}

static GSubprocessLauncher *
new_launcher (void)
{
  return g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE);
}

static void
qemu_end (Qemu *qemu)
{
  qemu_must (qemu, "{\"execute\":\"quit\"}");
  g_assert_true (g_subprocess_wait (qemu->process, NULL, NULL));
  g_clear_object (&qemu->process);
  g_clear_object (&qemu->out);
}

/* Until the member `status` of what @command returns is no longer one of @pending. */
static char *
qemu_wait (Qemu *qemu, const char *command, const char *const *pending)
{
  for (;; g_usleep (20000))
    {
      g_autoptr (StasisJson) result = qemu_command (qemu, command);
      const char *status = stasis_json_string (stasis_json_get (result, "status"), "none");
      if (!g_strv_contains (pending, status))
        return g_strdup (status);
    }
}

/* Hand QEMU the file twice, buffered and direct, as fd set 7; FALSE where the file system cannot.
 */
static gboolean
pass_file (GSubprocessLauncher *launcher, const char *path)
{
  const int direct = open (path, O_WRONLY | O_DIRECT | O_CLOEXEC);
  if (direct < 0)
    return FALSE;
  g_subprocess_launcher_take_fd (launcher, open (path, O_WRONLY | O_CLOEXEC), 50);
  g_subprocess_launcher_take_fd (launcher, direct, 51);
  return TRUE;
}

static char *
make_uri (const Case *c, const char *path, guint64 offset)
{
  if (c->kind == STASIS_IMAGE_BODY_MAPPED_RAM)
    return g_strdup_printf ("file:%s,offset=%" G_GUINT64_FORMAT, c->direct ? "/dev/fdset/7" : path,
                            offset);
  if (c->kind == STASIS_IMAGE_BODY_CHUNKS)
    return g_strdup_printf ("exec:cat > %s", path);
  return g_strdup_printf ("exec:dd of=%s bs=64k oflag=seek_bytes conv=notrunc status=none "
                          "seek=%" G_GUINT64_FORMAT,
                          path, offset);
}

/* Until the body is written. */
static void
migrate (Qemu *qemu, const Case *c, const char *path, guint64 offset)
{
  static const char *const pending[]
      = { "none", "setup", "active", "device", "pre-switchover", NULL };
  g_autofree char *uri = make_uri (c, path, offset);
  g_autofree char *command
      = g_strdup_printf ("{\"execute\":\"migrate\",\"arguments\":{\"uri\":\"%s\"}}", uri);
  qemu_must (qemu, "{\"execute\":\"migrate-set-parameters\",\"arguments\":{\"max-bandwidth\":0}}");
  if (c->direct)
    qemu_must (qemu, "{\"execute\":\"migrate-set-parameters\",\"arguments\":{\"direct-io\":true}}");
  qemu_must (qemu, command);
  g_autofree char *status = qemu_wait (qemu, "{\"execute\":\"query-migrate\"}", pending);
  g_assert_cmpstr (status, ==, "completed");
}

/* Let QEMU write the body; FALSE where it, or the file system, cannot. */
static gboolean
save (const Case *c, const char *path, const char *data_path, guint64 offset)
{
  Qemu qemu = { NULL, NULL };
  g_autoptr (GSubprocessLauncher) launcher = new_launcher ();
  if (c->direct && !pass_file (launcher, path))
    return FALSE;
  g_autofree char *arguments
      = g_strdup_printf ("-device loader,file=%s,addr=%u,force-raw=on %s", data_path, DATA_ADDR,
                         c->direct ? "-add-fd fd=50,set=7 -add-fd fd=51,set=7" : "");
  qemu_start (&qemu, c, arguments, launcher);
  g_usleep (300000); /* the firmware shall leave something in memory */
  qemu_must (&qemu, "{\"execute\":\"stop\"}");

  g_autofree char *capabilities = g_strdup_printf (
      "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":[%s]}}",
      c->capabilities);
  g_autoptr (StasisJson) accepted = qemu_command (&qemu, capabilities);
  if (accepted != NULL)
    migrate (&qemu, c, path, offset);
  qemu_end (&qemu);
  return accepted != NULL;
}

/* A guest from the image must have the data in its memory. */
static void
restore (const Case *c, const StasisImage *image, const char *path, const guint8 *data)
{
  static const char *const pending[] = { "inmigrate", NULL };
  Qemu qemu = { NULL, NULL };
  const guint64 offset = stasis_image_body_offset (image);
  g_autofree char *dump = g_build_filename (folder, "dump", NULL);
  g_autofree char *uri
      = c->kind == STASIS_IMAGE_BODY_MAPPED_RAM
            ? g_strdup_printf ("file:%s,offset=%" G_GUINT64_FORMAT, path, offset)
        : c->kind == STASIS_IMAGE_BODY_CHUNKS
            ? g_strdup_printf ("exec:cat %s", path)
            : g_strdup_printf ("exec:tail -c +%" G_GUINT64_FORMAT " %s", offset + 1, path);
  g_autofree char *arguments = g_strdup_printf ("-S %s -incoming '%s'", c->incoming, uri);
  g_autoptr (GSubprocessLauncher) launcher = new_launcher ();
  qemu_start (&qemu, c, arguments, launcher);
  g_autofree char *status = qemu_wait (&qemu, "{\"execute\":\"query-status\"}", pending);
  g_assert_cmpstr (status, ==, "paused");
  g_autofree char *command = g_strdup_printf (
      "{\"execute\":\"pmemsave\",\"arguments\":{\"val\":%u,\"size\":%u,\"filename\":\"%s\"}}",
      DATA_ADDR, DATA_LENGTH, dump);
  qemu_must (&qemu, command);
  qemu_end (&qemu);

  g_autofree char *found = NULL;
  gsize size;
  g_assert_true (g_file_get_contents (dump, &found, &size, NULL));
  g_assert_cmpmem (found, size, data, DATA_LENGTH);
  unlink (dump);
}

static void
finish (StasisImageWriter *writer)
{
  g_autoptr (GError) error = NULL;
  const StasisImageTail tail = { .disks = NULL };
  stasis_image_writer_finish (writer, 0, &tail, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
}

static void
check_map (const StasisImage *image)
{
  const StasisImageBlock *ram
      = stasis_image_ram_map_lookup (stasis_image_ram_map (image), "pc.ram");
  g_assert_nonnull (ram);
  g_assert_cmpuint (ram->used_length, ==, 64 * MIB);
  g_assert_cmpuint (ram->n_set, >=, DATA_LENGTH / 4096);
  g_assert_cmpuint (ram->n_set, <, DATA_LENGTH / 4096 + 1024);
  g_assert_nonnull (stasis_image_ram_map_lookup (stasis_image_ram_map (image), "pc.bios"));
}

/* All of the guest's memory gone, as after a bad copy. */
static void
check_punched (int fd)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_no_error (error);
  const StasisImageBlock *ram
      = stasis_image_ram_map_lookup (stasis_image_ram_map (image), "pc.ram");
  g_assert_cmpint (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                              (off_t) ram->pages_offset, 64 * MIB),
                   ==, 0);
  g_assert_false (stasis_image_verify (image, 0, 2, NULL, NULL, NULL, &error));
  g_assert_nonnull (strstr (error->message, "RAM block 'pc.ram', guest memory at 0x0"));
}

/* Noise, the same each time. */
static guint8 *
make_data (const char *path)
{
  g_autoptr (GError) error = NULL;
  guint8 *data = g_malloc (DATA_LENGTH);
  guint64 state = 88172645463325252;
  for (gsize i = 0; i < DATA_LENGTH; i++)
    {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      data[i] = (guint8) state;
    }
  g_assert_true (g_file_set_contents (path, (const char *) data, DATA_LENGTH, &error));
  return data;
}

static void
run_independent (const char *path)
{
  g_autoptr (GError) error = NULL;
  const char *script = g_getenv ("STASIS_TEST_VERIFY");
  if (script == NULL)
    return;
  g_autoptr (GSubprocess) process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE, &error,
                                                      "python3", "-B", script, path, NULL);
  g_assert_no_error (error);
  g_subprocess_wait_check (process, NULL, &error);
  g_assert_no_error (error);
}

static void
test_case (gconstpointer data)
{
  const Case *c = data;
  g_autofree char *binary = find_qemu ();
  if (binary == NULL)
    {
      g_test_skip ("there is no qemu-system-x86_64");
      return;
    }

  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (folder, "image", NULL);
  g_autofree char *data_path = g_build_filename (folder, "data", NULL);
  g_autofree guint8 *octets = make_data (data_path);
  stasis_autofd int fd = stasis_fd_open (path, O_RDWR | O_CREAT | O_TRUNC, 0600, &error);
  g_assert_no_error (error);
  g_autoptr (StasisImageWriter) writer = sample_begin (fd, c->kind);
  if (!save (c, path, data_path, stasis_image_writer_body_offset (writer)))
    {
      g_test_skip ("this QEMU lacks a capability, or the file system direct I/O");
      return;
    }
  finish (writer);

  g_assert_true (sample_verify (fd, &error));
  g_assert_no_error (error);
  g_autoptr (StasisImage) image = sample_open (fd, &error);
  if (c->kind == STASIS_IMAGE_BODY_MAPPED_RAM)
    check_map (image);
  run_independent (path);
  restore (c, image, path, octets);
  g_assert_true (sample_verify (fd, &error));
  g_assert_no_error (error);
  if (c->kind == STASIS_IMAGE_BODY_MAPPED_RAM)
    check_punched (fd);
  unlink (path);
  unlink (data_path);
}

typedef struct
{
  const char *fifo;
  int fd; /* (borrowed) of the image */
} Pump;

/* What comes out of the FIFO, as a streamed image into the file. */
static gpointer
pump_in (gpointer data)
{
  const Pump *pump = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) xml = g_bytes_new_static (SAMPLE_XML, strlen (SAMPLE_XML));
  g_autoptr (StasisJson) qemu_facts = sample_facts ();
  const StasisImageFacts facts = { .xml = xml, .qemu_facts = qemu_facts };
  stasis_autofd int fifo = open (pump->fifo, O_RDONLY | O_CLOEXEC);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_pipe (fifo);
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_file (pump->fd, 0);
  g_autoptr (StasisStreamedWriter) writer
      = stasis_streamed_writer_begin (out, &facts, 3, 0, NULL, &error);
  g_assert_no_error (error);
  stasis_stream_copy (in, stasis_streamed_writer_body (writer), NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  stasis_streamed_writer_finish (writer, NULL, NULL, &error);
  g_assert_no_error (error);
  return NULL;
}

/* The stream in the image, into the FIFO. */
static gpointer
pump_out (gpointer data)
{
  const Pump *pump = data;
  g_autoptr (GError) error = NULL;
  stasis_autofd int fifo = open (pump->fifo, O_WRONLY | O_CLOEXEC);
  g_autoptr (StasisStreamIn) in = stasis_stream_in_new_file (pump->fd, 0, G_MAXUINT64);
  g_autoptr (StasisStreamOut) out = stasis_stream_out_new_pipe (fifo);
  g_autoptr (StasisStreamedReader) reader
      = stasis_streamed_reader_open (in, "image", 0, NULL, &error);
  g_assert_no_error (error);
  stasis_stream_copy (stasis_streamed_reader_body (reader), out, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  return NULL;
}

static void
test_streamed (void)
{
  g_autofree char *binary = find_qemu ();
  if (binary == NULL)
    {
      g_test_skip ("there is no qemu-system-x86_64");
      return;
    }

  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (folder, "image", NULL);
  g_autofree char *fifo = g_build_filename (folder, "fifo", NULL);
  g_autofree char *data_path = g_build_filename (folder, "data", NULL);
  g_autofree guint8 *octets = make_data (data_path);
  stasis_autofd int fd = stasis_fd_open (path, O_RDWR | O_CREAT | O_TRUNC, 0600, &error);
  g_assert_no_error (error);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);

  Pump pump = { fifo, fd };
  GThread *thread = g_thread_new ("pump", pump_in, &pump);
  g_assert_true (save (&streamed, fifo, data_path, 0));
  g_thread_join (thread);
  g_assert_true (sample_verify (fd, &error));
  g_assert_no_error (error);
  run_independent (path);

  g_autoptr (StasisImage) image = sample_open (fd, &error);
  g_assert_cmpuint (stasis_image_stream_length (image), >, DATA_LENGTH);
  g_assert_cmpuint (stasis_image_body_length (image), <, stasis_image_stream_length (image));
  thread = g_thread_new ("pump", pump_out, &pump);
  restore (&streamed, image, fifo, octets);
  g_thread_join (thread);
  unlink (fifo);
  unlink (path);
  unlink (data_path);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("stasis-image-XXXXXX", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autofree char *path = g_strdup_printf ("/image/qemu/%s", cases[i].name);
      g_test_add_data_func (path, &cases[i], test_case);
    }
  g_test_add_func ("/image/qemu/streamed/q35", test_streamed);
  const int result = g_test_run ();
  rmdir (folder);
  g_free (folder);
  return result;
}
