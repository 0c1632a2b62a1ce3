/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libvirt-sample.h: small save images of libvirt, put together by hand
 */

#pragma once

#include "image/libvirt-header.h"

G_BEGIN_DECLS

#define LIBVIRT_XML    "<domain type='kvm'><name>web</name></domain>"
#define LIBVIRT_COOKIE "<cookie><cpu mode='custom'/></cookie>"

/* What the fields say.  Zero: what fits. */
typedef struct
{
  const char *magic;
  guint32 version;
  guint32 data_length;
  guint32 was_running; /* 0: not */
  guint32 format;
  gint64 cookie_offset; /* -1: there is no cookie, neither in the field nor in the data */
  gsize slack;          /* zero octets behind the texts */
  gboolean is_swapped;
} LibvirtSample;

/* (transfer full) What comes before the body. */
GBytes *libvirt_sample_front (const LibvirtSample *sample);

/* (transfer full) A plain stream of so many octets (at least 8), of QEMU by its first ones. */
GBytes *libvirt_sample_stream (gsize size);

/* (transfer full) A whole image of a format that is not sparse: the body of @stream. */
GBytes *libvirt_sample_image (const LibvirtSample *sample, GBytes *stream);

/* FALSE, and the test is skipped, where the program of a format is missing. */
gboolean libvirt_sample_can (StasisLibvirtFormat format);

G_END_DECLS
