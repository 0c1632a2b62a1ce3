/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * domain-news.c: something that became of a domain, by whomever
 */

#include "config.h"

#include "driver/domain-news.h"

/* One whose strings are its own. */
StasisDomainNews *
stasis_domain_news_copy (const StasisDomainNews *news)
{
  StasisDomainNews *copy = g_memdup2 (news, sizeof *news);
  copy->name = g_strdup (news->name);
  copy->uuid = g_strdup (news->uuid);
  copy->alias = g_strdup (news->alias);
  copy->event = news->event != NULL ? stasis_json_ref ((StasisJson *) news->event) : NULL;
  copy->stats = news->stats != NULL ? stasis_job_stats_copy (news->stats) : NULL;
  return copy;
}

/* A copy. */
void
stasis_domain_news_free (gpointer news)
{
  StasisDomainNews *self = news;
  g_free ((char *) self->name);
  g_free ((char *) self->uuid);
  g_free ((char *) self->alias);
  stasis_json_unref ((StasisJson *) self->event);
  stasis_job_stats_free ((StasisJobStats *) self->stats);
  g_free (self);
}
