-- The views over the loaded histories. They are made anew, so that columns of later versions are among theirs.
begin;
set local search_path to mailing_history;
set local client_min_messages to warning;

drop view if exists mailing_last_outcome, mailing_daily_totals;

-- The last outcome of each key at each destination.
create view mailing_last_outcome as
select distinct on (stream, key, destination) *
from mailing_outcomes
where key is not null
order by stream, key, destination, settled_at desc, line desc;

-- The rows of each day (UTC) by destination, outcome, and effect or code.
create view mailing_daily_totals as
select settled_at::date as day, destination, outcome, coalesce(effect, code) as detail, count(*) as row_count
from mailing_outcomes
group by 1, 2, 3, 4;

commit;
