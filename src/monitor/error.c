/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c: the error domain of monitors
 */

#include "config.h"

#include "monitor/error.h"

G_DEFINE_QUARK (stasis_monitor_error_quark, stasis_monitor_error)
