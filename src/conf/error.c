/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c: the error domain of domain definitions
 */

#include "config.h"

#include "conf/error.h"

G_DEFINE_QUARK (stasis_conf_error_quark, stasis_conf_error)
