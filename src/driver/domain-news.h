/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-news.h: something that became of a domain, by whomever
 */

#pragma once

#include <stasis/driver.h>

#include "util/json.h"

G_BEGIN_DECLS

typedef enum
{
  STASIS_NEWS_DEFINED,   /* a definition is new, or another one */
  STASIS_NEWS_UNDEFINED, /* it is kept no more */
  STASIS_NEWS_STATE,     /* it runs, and its state is another one */
  STASIS_NEWS_ENDED,     /* it runs no more */
  STASIS_NEWS_JOB,       /* a job has come to its end */
  STASIS_NEWS_QEMU,      /* its QEMU has said something */
  STASIS_NEWS_DEVICE,    /* a device has come while it runs */
} StasisNewsKind;

typedef struct
{
  StasisNewsKind kind;
  const char *name;
  const char *uuid;         /* as text */
  int id;                   /* -1 where it does not run */
  gboolean is_first;        /* DEFINED: it was not there before; STATE: the first of this run */
  StasisDomainState before; /* STATE: NOSTATE where it is the first */
  StasisDomainState state;
  const char *reason;          /* (nullable) interned; STATE, ENDED */
  const StasisJobStats *stats; /* (nullable) JOB */
  const StasisJson *event;     /* (nullable) QEMU: as in docs/supervisor.md */
  const char *alias;           /* (nullable) DEVICE */
} StasisDomainNews;

/* Valid during the call only. */
typedef void (*StasisNewsFunc) (const StasisDomainNews *news, gpointer data);

/* One to keep. */
StasisDomainNews *stasis_domain_news_copy (const StasisDomainNews *news);
void stasis_domain_news_free (gpointer news);

G_END_DECLS
