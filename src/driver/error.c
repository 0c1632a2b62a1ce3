/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c: the error domain of drivers and domains
 */

#include "config.h"

#include <stasis/error.h>

G_DEFINE_QUARK (stasis_error_quark, stasis_error)
