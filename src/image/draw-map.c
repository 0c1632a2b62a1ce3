/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * draw-map.c: a picture of a guest's memory, as it lies in an image
 *
 * Theory of operation
 *
 * Each RAMBlock is a field of cells, 128 in a row.  A cell stands for the same number of pages in
 * all blocks, a power of two, chosen so that the picture keeps a size that fits on a screen or two.
 * Its colour is that of its stored pages mixed: the fuller, the stronger.  Until the number is
 * known, pages are counted in buckets, which are never larger than a cell.
 */

#include "config.h"

#include "image/draw-map.h"

#include <inttypes.h>

#include <glib/gi18n-lib.h>

#include "image/bitmap.h"
#include "image/canvas.h"
#include "image/types.h"

#define PAGE        STASIS_IMAGE_PAGE_SIZE
#define BUCKETS_MAX 65536u /* of a block */
#define COLUMNS     128u   /* cells in a row */
#define ROWS_MAX    128u   /* of the blocks that need more than one */
#define BLOCKS_MAX  64u    /* that are drawn */

#define CELL       8u /* pixels from cell to cell */
#define CELL_SIZE  7u
#define MARGIN     32u
#define GUTTER     156u /* for the places of rows */
#define WIDTH      (MARGIN + GUTTER + COLUMNS * CELL + MARGIN)
#define LINE       24u
#define HEAD       144u /* above the first block */
#define GAP        20u  /* below each */
#define LABEL_ROWS 8u   /* from place to place */

#define COLOUR_BACKGROUND 0xffffffu
#define COLOUR_INK        0x1f2933u
#define COLOUR_GREY       0x7b8794u

static const struct
{
  guint32 colour;
  const char *name;
} kinds[STASIS_PAGE_N_KINDS] = {
  [STASIS_PAGE_ZERO] = { 0xe4e8ee, N_ ("zero") },
  [STASIS_PAGE_PARENT] = { 0xe9dcc3, N_ ("in the parent") },
  [STASIS_PAGE_STORED] = { 0x2f6fb7, N_ ("stored") },
  [STASIS_PAGE_COMPRESSED] = { 0x2a9d78, N_ ("compressed") },
  [STASIS_PAGE_CHANGED] = { 0xe2762b, N_ ("changed") },
};

typedef struct
{
  guint64 counts[STASIS_PAGE_N_KINDS]; /* of the rest: not kept */
} Tally;

typedef struct
{
  char *name; /* (owned) */
  guint64 n_pages;
  guint64 per_bucket; /* pages, a power of two */
  Tally *buckets;     /* (owned) */
} Block;

struct _StasisMemoryPicture
{
  char *title;         /* (owned) */
  GArray *blocks;      /* (owned) of Block */
  StasisPageKind rest; /* pages that are not marked: ZERO or PARENT */
};

static void
clear_block (gpointer data)
{
  Block *block = data;
  g_free (block->name);
  g_free (block->buckets);
}

/* An empty picture. */
StasisMemoryPicture *
stasis_memory_picture_new (const char *title)
{
  StasisMemoryPicture *self = g_new0 (StasisMemoryPicture, 1);
  self->title = g_strdup (title);
  self->blocks = g_array_new (FALSE, TRUE, sizeof (Block));
  g_array_set_clear_func (self->blocks, clear_block);
  return self;
}

/* NULL is fine. */
void
stasis_memory_picture_free (StasisMemoryPicture *self)
{
  if (self == NULL)
    return;

  g_free (self->title);
  g_array_unref (self->blocks);
  g_free (self);
}

/* What is not marked is in the parent. */
void
stasis_memory_picture_set_incremental (StasisMemoryPicture *self)
{
  self->rest = STASIS_PAGE_PARENT;
}

static guint64
divide_up (guint64 value, guint64 unit)
{
  return value / unit + (value % unit != 0 ? 1 : 0);
}

/* Add a RAMBlock. */
guint
stasis_memory_picture_add_block (StasisMemoryPicture *self, const char *name, guint64 used_length)
{
  Block block = { .name = g_strdup (name), .n_pages = divide_up (used_length, PAGE) };
  for (block.per_bucket = 1; divide_up (block.n_pages, block.per_bucket) > BUCKETS_MAX;)
    block.per_bucket *= 2;
  block.buckets = g_new0 (Tally, divide_up (block.n_pages, block.per_bucket));
  g_array_append_val (self->blocks, block);
  return self->blocks->len - 1;
}

/* Pages [@page, @page + @n) of a block are of that kind. */
void
stasis_memory_picture_mark (StasisMemoryPicture *self, guint block_index, guint64 page, guint64 n,
                            StasisPageKind kind)
{
  Block *block = &g_array_index (self->blocks, Block, block_index);
  const guint64 end = page >= block->n_pages ? page : page + MIN (n, block->n_pages - page);
  while (page < end)
    {
      const guint64 bucket = page / block->per_bucket;
      const guint64 stop = MIN (end, (bucket + 1) * block->per_bucket);
      block->buckets[bucket].counts[kind] += stop - page;
      page = stop;
    }
}

/* Pages whose bit is set are stored. */
void
stasis_memory_picture_mark_bits (StasisMemoryPicture *self, guint block_index, const guint8 *bits)
{
  const guint64 n_pages = g_array_index (self->blocks, Block, block_index).n_pages;
  guint64 end;
  for (guint64 page = 0; page < n_pages; page = end)
    {
      for (end = page;
           end < n_pages && stasis_bitmap_has (bits, end) == stasis_bitmap_has (bits, page);)
        end++;
      if (stasis_bitmap_has (bits, page))
        stasis_memory_picture_mark (self, block_index, page, end - page, STASIS_PAGE_STORED);
    }
}

static gboolean
add_block_of_map (StasisMemoryPicture *self, int fd, const StasisImageBlock *block,
                  StasisPageKindFunc kind, gpointer data, GCancellable *cancellable, GError **error)
{
  g_autofree StasisBitmap *bitmap = g_new0 (StasisBitmap, 1);
  const guint index = stasis_memory_picture_add_block (self, block->name, block->used_length);
  const guint64 n_pages = block->used_length / PAGE;
  guint64 end;
  for (guint64 page = 0; page < n_pages; page = end)
    {
      gboolean set;
      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || !stasis_bitmap_run (bitmap, fd, block, page, n_pages, &set, &end, error))
        return FALSE;
      if (set && kind == NULL)
        stasis_memory_picture_mark (self, index, page, end - page, STASIS_PAGE_STORED);
      for (guint64 i = page; set && kind != NULL && i < end; i++)
        stasis_memory_picture_mark (self, index, i, 1, kind (index, i, data));
    }
  return TRUE;
}

/* Add all blocks of a mapped body. */
gboolean
stasis_memory_picture_add_map (StasisMemoryPicture *self, int fd, const StasisImageRamMap *map,
                               StasisPageKindFunc kind, gpointer data, GCancellable *cancellable,
                               GError **error)
{
  for (guint i = 0; i < map->n_blocks; i++)
    if (!add_block_of_map (self, fd, &map->blocks[i], kind, data, cancellable, error))
      return FALSE;
  return TRUE;
}

/* What the buckets of [@page, @page + @n) have. */
static Tally
tally_of (const Block *block, guint64 page, guint64 n)
{
  Tally tally = { { 0 } };
  const guint64 end = MIN (page + n, block->n_pages);
  for (guint64 at = page; at < end; at += block->per_bucket)
    for (guint kind = STASIS_PAGE_STORED; kind < STASIS_PAGE_N_KINDS; kind++)
      tally.counts[kind] += block->buckets[at / block->per_bucket].counts[kind];
  return tally;
}

static guint64
tally_sum (const Tally *tally)
{
  return tally->counts[STASIS_PAGE_STORED] + tally->counts[STASIS_PAGE_COMPRESSED]
         + tally->counts[STASIS_PAGE_CHANGED];
}

static Tally
tally_all (const StasisMemoryPicture *self, guint64 *out_pages)
{
  Tally all = { { 0 } };
  *out_pages = 0;
  for (guint i = 0; i < self->blocks->len; i++)
    {
      const Block *block = &g_array_index (self->blocks, Block, i);
      const Tally tally = tally_of (block, 0, block->n_pages);
      for (guint kind = 0; kind < STASIS_PAGE_N_KINDS; kind++)
        all.counts[kind] += tally.counts[kind];
      *out_pages += block->n_pages;
    }
  return all;
}

/* A number of pages as people read it: "1.5 GiB". */
static char *
format_size (guint64 n_pages)
{
  static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
  guint64 tenths = n_pages * (PAGE / 1024) * 10;
  gsize unit = 0;
  for (; tenths >= 10240 && unit + 1 < G_N_ELEMENTS (units); unit++)
    tenths = (tenths + 512) / 1024;
  if (tenths % 10 == 0)
    return g_strdup_printf ("%" PRIu64 " %s", tenths / 10, units[unit]);
  return g_strdup_printf ("%" PRIu64 ".%u %s", tenths / 10, (guint) (tenths % 10), units[unit]);
}

/* How far into a block, in the largest unit of which it is a whole number: "1152 MiB". */
static char *
format_place (guint64 n_pages)
{
  static const char *const units[] = { "KiB", "MiB", "GiB", "TiB" };
  guint64 size = n_pages * (PAGE / 1024);
  gsize unit = 0;
  for (; size > 0 && size % 1024 == 0 && unit + 1 < G_N_ELEMENTS (units); unit++)
    size /= 1024;
  return size == 0 ? g_strdup ("0") : g_strdup_printf ("%" PRIu64 " %s", size, units[unit]);
}

/* Below one percent is not nothing. */
static char *
format_percent (guint64 n, guint64 n_pages)
{
  const guint percent = n_pages == 0 ? 0 : (guint) ((double) n / (double) n_pages * 100);
  return n > 0 && percent == 0 ? g_strdup (_ ("under 1 %")) : g_strdup_printf ("%u %%", percent);
}

/* "64 MiB: 3.1 MiB stored (5 %)"; of several kinds, if @brief, only the percentages. */
static char *
format_shares (const StasisMemoryPicture *self, const Tally *tally, guint64 n_pages, gboolean brief)
{
  g_autofree char *whole = format_size (n_pages);
  GString *out = g_string_new (whole);
  const char *separator = ": ";
  const guint64 sum = tally_sum (tally);
  for (guint kind = STASIS_PAGE_STORED; kind < STASIS_PAGE_N_KINDS; kind++)
    {
      const guint64 n = tally->counts[kind];
      g_autofree char *size = format_size (n);
      g_autofree char *percent = format_percent (n, n_pages);
      if (n == 0)
        continue;
      if (brief && n < sum)
        g_string_append_printf (out, "%s%s %s", separator, percent, _ (kinds[kind].name));
      else
        g_string_append_printf (out, "%s%s %s (%s)", separator, size, _ (kinds[kind].name),
                                percent);
      separator = ", ";
    }
  if (sum == 0)
    g_string_append_printf (out, ": %s", _ (kinds[self->rest].name));
  return g_string_free (out, FALSE);
}

/* Pages for each cell, a power of two, so that there are not too many rows. */
static guint64
choose_scale (const StasisMemoryPicture *self)
{
  for (guint64 scale = 1;; scale *= 2)
    {
      guint64 rows = 0;
      for (guint i = 0; i < MIN (self->blocks->len, BLOCKS_MAX); i++)
        {
          const Block *block = &g_array_index (self->blocks, Block, i);
          const guint64 n = divide_up (divide_up (block->n_pages, scale), COLUMNS);
          rows += n > 1 ? n : 0;
        }
      if (rows <= ROWS_MAX)
        return scale;
    }
}

/* @b, by @weight of 256, over @a. */
static guint32
mix (guint32 a, guint32 b, guint32 weight)
{
  guint32 mixed = 0;
  for (guint shift = 0; shift < 24; shift += 8)
    {
      const guint32 from = a >> shift & 0xff, to = b >> shift & 0xff;
      mixed |= (from * (256 - weight) + to * weight) / 256 << shift;
    }
  return mixed;
}

/* Eight steps from almost nothing to all, so that neighbours look alike if they are. */
static guint32
cell_colour (const StasisMemoryPicture *self, const Tally *tally, guint64 n_pages)
{
  const guint64 sum = tally_sum (tally);
  if (sum == 0 || n_pages == 0)
    return kinds[self->rest].colour;

  guint32 colour = kinds[STASIS_PAGE_STORED].colour;
  for (guint kind = STASIS_PAGE_COMPRESSED; kind < STASIS_PAGE_N_KINDS; kind++)
    colour = mix (colour, kinds[kind].colour, (guint32) (tally->counts[kind] * 256 / sum));
  const guint32 step = (guint32) MIN (divide_up (sum * 8, n_pages), 8);
  return mix (kinds[self->rest].colour, colour, 64 + step * 24);
}

/* The cells of a block, beside them how far into it they are; how high they are. */
static guint32
draw_cells (const StasisMemoryPicture *self, StasisCanvas *canvas, const Block *block,
            guint64 scale, guint32 y)
{
  const guint64 n_cells = divide_up (block->n_pages, scale);
  const guint32 n_rows = (guint32) divide_up (n_cells, COLUMNS);
  for (guint32 row = 0; n_rows > 1 && row < n_rows; row += LABEL_ROWS)
    {
      g_autofree char *address = format_place (row * COLUMNS * scale);
      const guint32 width = stasis_canvas_text_width (address, 2);
      if (n_rows - row >= 2)
        stasis_canvas_add_text (canvas, MARGIN + GUTTER - 14 - MIN (width, GUTTER - 14),
                                y + row * CELL - 3, 2, COLOUR_GREY, address);
    }
  for (guint64 cell = 0; cell < n_cells; cell++)
    {
      const guint64 page = cell * scale;
      const Tally tally = tally_of (block, page, scale);
      stasis_canvas_add_rectangle (canvas, MARGIN + GUTTER + (guint32) (cell % COLUMNS) * CELL,
                                   y + (guint32) (cell / COLUMNS) * CELL, CELL_SIZE, CELL_SIZE,
                                   cell_colour (self, &tally, MIN (scale, block->n_pages - page)));
    }
  return n_rows * CELL;
}

/* A block with its name; where the next one goes. */
static guint32
draw_block (const StasisMemoryPicture *self, StasisCanvas *canvas, const Block *block,
            guint64 scale, guint32 y)
{
  const Tally tally = tally_of (block, 0, block->n_pages);
  g_autofree char *shares = format_shares (self, &tally, block->n_pages, TRUE);
  const guint32 x = MARGIN + GUTTER;
  stasis_canvas_add_text (canvas, x, y, 2, COLOUR_INK, block->name);
  stasis_canvas_add_text (canvas, x + stasis_canvas_text_width (block->name, 2) + 16, y, 2,
                          COLOUR_GREY, shares);
  return y + LINE + draw_cells (self, canvas, block, scale, y + LINE) + GAP;
}

static void
draw_legend (const StasisMemoryPicture *self, StasisCanvas *canvas, const Tally *all, guint64 scale,
             guint32 y)
{
  guint32 x = MARGIN + GUTTER;
  for (guint kind = 0; kind < STASIS_PAGE_N_KINDS; kind++)
    {
      const char *name = _ (kinds[kind].name);
      if (kind != self->rest && kind != STASIS_PAGE_STORED && all->counts[kind] == 0)
        continue;
      stasis_canvas_add_rectangle (canvas, x, y, 14, 14, kinds[kind].colour);
      stasis_canvas_add_text (canvas, x + 22, y, 2, COLOUR_INK, name);
      x += 22 + stasis_canvas_text_width (name, 2) + 28;
    }
  g_autofree char *size = format_size (scale);
  g_autofree char *cell = g_strdup_printf (_ ("a cell: %1$s, darker is fuller"), size);
  stasis_canvas_add_text (canvas, x, y, 2, COLOUR_GREY, cell);
}

static void
draw_head (const StasisMemoryPicture *self, StasisCanvas *canvas, guint64 scale)
{
  guint64 n_pages;
  const Tally all = tally_all (self, &n_pages);
  g_autofree char *shares = format_shares (self, &all, n_pages, FALSE);
  const guint32 x = MARGIN + GUTTER;
  stasis_canvas_add_text (canvas, x, MARGIN, 4, COLOUR_INK, self->title);
  stasis_canvas_add_text (canvas, x, MARGIN + 44, 2, COLOUR_INK, shares);
  draw_legend (self, canvas, &all, scale, MARGIN + 74);
}

/* Everything; how high it is. */
static StasisCanvas *
draw (const StasisMemoryPicture *self, guint32 *out_height)
{
  StasisCanvas *canvas = stasis_canvas_new (COLOUR_BACKGROUND);
  const guint64 scale = choose_scale (self);
  const guint n = MIN (self->blocks->len, BLOCKS_MAX);
  guint32 y = HEAD;
  draw_head (self, canvas, scale);
  for (guint i = 0; i < n; i++)
    y = draw_block (self, canvas, &g_array_index (self->blocks, Block, i), scale, y);
  if (n < self->blocks->len)
    {
      g_autofree char *more
          = g_strdup_printf (_ ("%1$u more blocks are not drawn"), self->blocks->len - n);
      stasis_canvas_add_text (canvas, MARGIN + GUTTER, y, 2, COLOUR_GREY, more);
      y += LINE;
    }
  *out_height = y + MARGIN - GAP;
  return canvas;
}

GBytes *
stasis_memory_picture_to_svg (const StasisMemoryPicture *self)
{
  guint32 height;
  g_autoptr (StasisCanvas) canvas = draw (self, &height);
  return stasis_canvas_to_svg (canvas, WIDTH, height);
}

GBytes *
stasis_memory_picture_to_png (const StasisMemoryPicture *self, GError **error)
{
  guint32 height;
  g_autoptr (StasisCanvas) canvas = draw (self, &height);
  return stasis_canvas_to_png (canvas, WIDTH, height, error);
}
