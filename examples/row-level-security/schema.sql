-- The API logs in as api, which owns nothing, may read nothing, and may only become a caller's role.
create role authenticated nologin;
create role api login noinherit;
grant authenticated to api;

create table note (
  id uuid primary key,
  owner_id text not null,
  text text not null
);
alter table note enable row level security;
grant select, insert, update, delete on note to authenticated;

-- (select …) is asked once per query instead of once per row. At Supabase write (select auth.uid()).
create policy own_notes on note to authenticated
  using (owner_id = (select current_setting('request.jwt.claims', true)::jsonb ->> 'sub'))
  with check (owner_id = (select current_setting('request.jwt.claims', true)::jsonb ->> 'sub'));
