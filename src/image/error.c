/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c: the error domain of save images
 */

#include "config.h"

#include "image/error.h"

G_DEFINE_QUARK (stasis_image_error_quark, stasis_image_error)
