/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h: what can be wrong with a save image
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * StasisImageError:
 * @STASIS_IMAGE_ERROR_NOT_AN_IMAGE: the file is something else
 * @STASIS_IMAGE_ERROR_INCOMPLETE: the save that wrote the image did not finish
 * @STASIS_IMAGE_ERROR_UNSUPPORTED: another version, kind or mandatory record than we know
 * @STASIS_IMAGE_ERROR_CORRUPT: the octets contradict the format or their checksum
 * @STASIS_IMAGE_ERROR_TOO_LARGE: what is to be written exceeds a limit of the format
 * @STASIS_IMAGE_ERROR_INVALID: what is to be written lacks something that the format demands
 *
 * Why a save image cannot be read, or written.  Errors of the system are G_IO_ERROR.
 */
typedef enum
{
  STASIS_IMAGE_ERROR_NOT_AN_IMAGE,
  STASIS_IMAGE_ERROR_INCOMPLETE,
  STASIS_IMAGE_ERROR_UNSUPPORTED,
  STASIS_IMAGE_ERROR_CORRUPT,
  STASIS_IMAGE_ERROR_TOO_LARGE,
  STASIS_IMAGE_ERROR_INVALID,
} StasisImageError;

#define STASIS_IMAGE_ERROR (stasis_image_error_quark ())
GQuark stasis_image_error_quark (void);

G_END_DECLS
