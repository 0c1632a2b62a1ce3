/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * metadata.h: what people and programs note in a definition, and the guest does not see
 */

#pragma once

#include <stasis/stasis.h>

G_BEGIN_DECLS

/* The numbers are libvirt's. */
typedef enum
{
  STASIS_METADATA_DESCRIPTION,
  STASIS_METADATA_TITLE,
  STASIS_METADATA_ELEMENT, /* of a name space */
} StasisMetadataKind;

/* Which definition: by default that of the running instance, where there is one. */
typedef enum /*< flags >*/
{
  STASIS_METADATA_CURRENT = 0,
  STASIS_METADATA_LIVE = 1 << 0,
  STASIS_METADATA_CONFIG = 1 << 1,
} StasisMetadataFlags;

typedef struct
{
  StasisMetadataKind kind;
  const char *text; /* (nullable): it is removed */
  const char *key;  /* (nullable) ELEMENT: the prefix */
  const char *uri;  /* (nullable) ELEMENT */
} StasisMetadata;

gboolean stasis_domain_set_metadata (StasisDomain *self, const StasisMetadata *metadata,
                                     StasisMetadataFlags flags, GError **error);
/* *@out_text (transfer full): NULL where there is none. */
gboolean stasis_domain_get_metadata (StasisDomain *self, const StasisMetadata *metadata,
                                     StasisMetadataFlags flags, char **out_text, GError **error);

G_END_DECLS
