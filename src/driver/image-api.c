/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-api.c: what an image says of itself, on whichever host it lies
 */

#include "config.h"

#include <stasis/stasis.h>

#include "driver/ops.h"

/**
 * stasis_driver_get_image_info:
 * @driver: (nullable): on whose host the file lies; %NULL: on this one
 * @path: (type filename): the image
 * @error: return location
 *
 * Returns: (transfer full): as stasis_image_get_info_json()
 */
char *
stasis_driver_get_image_info (StasisDriver *driver, const char *path, GError **error)
{
  const StasisDriverOps *ops = driver != NULL ? stasis_driver_get_ops (driver) : NULL;
  return ops != NULL ? ops->get_image_info (driver, path, error)
                     : stasis_image_get_info_json (path, error);
}

/**
 * stasis_driver_get_image_xml:
 * @driver: (nullable): on whose host the file lies; %NULL: on this one
 * @path: (type filename): the image
 * @flags: only %STASIS_XML_SECURE means something here
 * @error: return location
 *
 * Returns: (transfer full): as stasis_image_get_xml()
 */
char *
stasis_driver_get_image_xml (StasisDriver *driver, const char *path, StasisXmlFlags flags,
                             GError **error)
{
  const StasisDriverOps *ops = driver != NULL ? stasis_driver_get_ops (driver) : NULL;
  return ops != NULL ? ops->get_image_xml (driver, path, flags, error)
                     : stasis_image_get_xml (path, flags, error);
}

/**
 * stasis_driver_draw_image_map:
 * @driver: (nullable): on whose host the file lies; %NULL: on this one
 * @path: (type filename): the image
 * @format: "svg" or "png"
 * @cancellable: (nullable): gives up
 * @error: return location
 *
 * Returns: (transfer full): as stasis_image_draw_map()
 */
GBytes *
stasis_driver_draw_image_map (StasisDriver *driver, const char *path, const char *format,
                              GCancellable *cancellable, GError **error)
{
  const StasisDriverOps *ops = driver != NULL ? stasis_driver_get_ops (driver) : NULL;
  return ops != NULL ? ops->draw_image_map (driver, path, format, cancellable, error)
                     : stasis_image_draw_map (path, format, cancellable, error);
}
