-- Did this record reach that list, when, by which job, and what was done?
--   psql --set=stream=people --set=key=4711 --file=record.sql URL
set search_path to mailing_history;

select
    o.destination,
    o.outcome in ('delivered', 'unchanged') as reached,
    o.settled_at,
    o.outcome,
    o.effect,
    o.code,
    j.job_id,
    j.route,
    j.submitted_at,
    j.ended_at,
    j.status,
    o.run_id
from mailing_outcomes o
left join mailing_jobs j on j.run_id = o.run_id and j.batch = o.batch and j.job_id = o.job_id
where o.stream = :'stream' and o.key = :'key'
order by o.settled_at;
