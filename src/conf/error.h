/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h: what can be wrong with a domain definition
 */

#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * StasisConfError:
 * @STASIS_CONF_ERROR_SYNTAX: the text is not well-formed XML
 * @STASIS_CONF_ERROR_UNSUPPORTED: an element, attribute or value that would change the guest and
 *   that we don't know
 * @STASIS_CONF_ERROR_INVALID: the definition contradicts itself
 * @STASIS_CONF_ERROR_ABI: two definitions describe guests that differ
 * @STASIS_CONF_ERROR_LIMIT: the text is too long, too deep or has too many nodes
 *
 * Why a domain definition is refused.
 */
typedef enum
{
  STASIS_CONF_ERROR_SYNTAX,
  STASIS_CONF_ERROR_UNSUPPORTED,
  STASIS_CONF_ERROR_INVALID,
  STASIS_CONF_ERROR_ABI,
  STASIS_CONF_ERROR_LIMIT,
} StasisConfError;

#define STASIS_CONF_ERROR (stasis_conf_error_quark ())
GQuark stasis_conf_error_quark (void);

G_END_DECLS
