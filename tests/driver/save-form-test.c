/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * save-form-test.c: tests of src/driver/save-form.c
 */

#include "config.h"

#include "driver/save-form.h"

#include <stasis/error.h>
#include <stasis/save.h>
#include <string.h>

static void
assert_form (const char *format, const char *compress, gboolean needs_stream, StasisImageKind kind,
             int level)
{
  g_autoptr (GError) error = NULL;
  StasisSaveForm form;
  g_assert_true (stasis_save_form_choose (format, compress, needs_stream, &form, &error));
  g_assert_no_error (error);
  g_assert_cmpint (form.kind, ==, kind);
  g_assert_cmpint (form.level, ==, level);
}

static void
test_choose (void)
{
  assert_form (NULL, NULL, FALSE, STASIS_IMAGE_KIND_STASIS, 0);
  assert_form (NULL, NULL, TRUE, STASIS_IMAGE_KIND_STASIS_STREAM, 0);
  assert_form (NULL, "zstd", FALSE, STASIS_IMAGE_KIND_STASIS_STREAM, 3);
  assert_form (NULL, "zstd:1", TRUE, STASIS_IMAGE_KIND_STASIS_STREAM, 1);
  assert_form ("stasis-stream", "zstd:19", FALSE, STASIS_IMAGE_KIND_STASIS_STREAM, 19);
  assert_form ("stasis-stream", NULL, FALSE, STASIS_IMAGE_KIND_STASIS_STREAM, 0);
  assert_form ("libvirt-zstd", "zstd:7", TRUE, STASIS_IMAGE_KIND_LIBVIRT_ZSTD, 7);
  assert_form ("libvirt-sparse", NULL, FALSE, STASIS_IMAGE_KIND_LIBVIRT_SPARSE, 0);
  assert_form ("trailer", NULL, TRUE, STASIS_IMAGE_KIND_TRAILER, 0);
}

static void
assert_refused (const char *format, const char *compress, gboolean needs_stream, int code,
                const char *says)
{
  g_autoptr (GError) error = NULL;
  StasisSaveForm form;
  g_assert_false (stasis_save_form_choose (format, compress, needs_stream, &form, &error));
  g_assert_error (error, STASIS_ERROR, code);
  g_assert_nonnull (strstr (error->message, says));
}

static void
test_refuse (void)
{
  const int invalid = STASIS_ERROR_INVALID_ARGUMENT;
  assert_refused ("vmdk", NULL, FALSE, invalid, "libvirt-sparse");
  assert_refused (NULL, "gzip", FALSE, invalid, "zstd:LEVEL");
  assert_refused (NULL, "zstd3", FALSE, invalid, "zstd:LEVEL");
  assert_refused (NULL, "zstd:", FALSE, invalid, "1 to 19");
  assert_refused (NULL, "zstd:0", FALSE, invalid, "1 to 19");
  assert_refused (NULL, "zstd:20", FALSE, invalid, "1 to 19");
  assert_refused ("stasis", "zstd", FALSE, invalid, "stasis-stream");
  assert_refused ("libvirt", "zstd", FALSE, invalid, "libvirt-zstd");
  assert_refused ("stasis", NULL, TRUE, STASIS_ERROR_UNSUPPORTED, "stasis-stream, libvirt,");
  assert_refused ("libvirt-sparse", NULL, TRUE, STASIS_ERROR_UNSUPPORTED, "trailer");
}

static void
test_weakness (void)
{
  g_assert_null (stasis_image_format_get_weakness ("stasis"));
  g_assert_null (stasis_image_format_get_weakness ("stasis-stream"));
  g_assert_null (stasis_image_format_get_weakness ("nonsense"));
  g_assert_nonnull (strstr (stasis_image_format_get_weakness ("libvirt"), "checksums"));
  g_assert_nonnull (strstr (stasis_image_format_get_weakness ("libvirt-sparse"), "checksums"));
  g_assert_nonnull (strstr (stasis_image_format_get_weakness ("libvirt-zstd"), "disks"));
  g_assert_nonnull (strstr (stasis_image_format_get_weakness ("trailer"), "definition"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/driver/save-form/choose", test_choose);
  g_test_add_func ("/driver/save-form/refuse", test_refuse);
  g_test_add_func ("/driver/save-form/weakness", test_weakness);
  return g_test_run ();
}
