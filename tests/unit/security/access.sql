-- create role ds.acme.yellow.monitor
CREATE ROLE "ds.acme.yellow.monitor" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.monitor" IS 'DataSurface: platform yellow of ecosystem acme';
-- create role ds.acme.yellow.owner
CREATE ROLE "ds.acme.yellow.owner" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.owner" IS 'DataSurface: platform yellow of ecosystem acme';
GRANT "ds.acme.yellow.owner" TO "admin" WITH INHERIT TRUE, SET TRUE;
-- create role ds.acme.yellow.r.reports.all
CREATE ROLE "ds.acme.yellow.r.reports.all" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.r.reports.all" IS 'DataSurface: platform yellow of ecosystem acme';
-- create role ds.acme.yellow.r.reports.all.cleared for INTERNAL
CREATE ROLE "ds.acme.yellow.r.reports.all.cleared for INTERNAL" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.r.reports.all.cleared for INTERNAL" IS 'DataSurface: platform yellow of ecosystem acme';
-- create role ds.acme.yellow.run
CREATE ROLE "ds.acme.yellow.run" NOLOGIN NOINHERIT;
COMMENT ON ROLE "ds.acme.yellow.run" IS 'DataSurface: platform yellow of ecosystem acme';
-- create role ds.acme.yellow.t.reports
CREATE ROLE "ds.acme.yellow.t.reports" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.t.reports" IS 'DataSurface: platform yellow of ecosystem acme';
-- create role ds.acme.yellow.monitor.a
CREATE ROLE "ds.acme.yellow.monitor.a" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.monitor.a" IS 'DataSurface: platform yellow of ecosystem acme';
ALTER ROLE "ds.acme.yellow.monitor.a" SET "default_transaction_read_only" = 'on';
-- create role ds.acme.yellow.monitor.b
CREATE ROLE "ds.acme.yellow.monitor.b" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.monitor.b" IS 'DataSurface: platform yellow of ecosystem acme';
ALTER ROLE "ds.acme.yellow.monitor.b" SET "default_transaction_read_only" = 'on';
-- create role ds.acme.yellow.run.a
CREATE ROLE "ds.acme.yellow.run.a" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.run.a" IS 'DataSurface: platform yellow of ecosystem acme';
-- create role ds.acme.yellow.run.b
CREATE ROLE "ds.acme.yellow.run.b" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.run.b" IS 'DataSurface: platform yellow of ecosystem acme';
-- create role ds.acme.yellow.t.reports.a
CREATE ROLE "ds.acme.yellow.t.reports.a" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.t.reports.a" IS 'DataSurface: platform yellow of ecosystem acme';
-- create role ds.acme.yellow.t.reports.b
CREATE ROLE "ds.acme.yellow.t.reports.b" NOLOGIN;
COMMENT ON ROLE "ds.acme.yellow.t.reports.b" IS 'DataSurface: platform yellow of ecosystem acme';
-- own schema ds_yellow: by ds.acme.yellow.owner instead of admin
ALTER SCHEMA "ds_yellow" OWNER TO "ds.acme.yellow.owner";
-- own schema ds_yellow.reports: by ds.acme.yellow.owner instead of admin
ALTER SCHEMA "ds_yellow.reports" OWNER TO "ds.acme.yellow.owner";
-- own schema reports_all: by ds.acme.yellow.owner instead of admin
ALTER SCHEMA "reports_all" OWNER TO "ds.acme.yellow.owner";
-- own table ds_yellow.crm.people: by ds.acme.yellow.owner instead of admin
ALTER TABLE "ds_yellow"."crm.people" OWNER TO "ds.acme.yellow.owner";
-- own table ds_yellow.reports.out: by ds.acme.yellow.owner instead of admin
ALTER TABLE "ds_yellow.reports"."out" OWNER TO "ds.acme.yellow.owner";
-- own view ds_yellow.batches: by ds.acme.yellow.owner instead of admin
ALTER TABLE "ds_yellow"."batches" OWNER TO "ds.acme.yellow.owner";
-- own view reports_all.crm_people: by ds.acme.yellow.owner instead of admin
ALTER TABLE "reports_all"."crm_people" OWNER TO "ds.acme.yellow.owner";
-- revoke database warehouse: CONNECT from PUBLIC UNSAFE: others may depend on it, as the database is not DataSurface's own
REVOKE CONNECT ON DATABASE "warehouse" FROM PUBLIC CASCADE;
-- revoke view reports_all.crm_people: SELECT from bob UNSAFE: it was granted by hand to a role that DataSurface does not manage
REVOKE SELECT ON "reports_all"."crm_people" FROM "bob" CASCADE;
-- join role ds.acme.yellow.monitor: ds.acme.yellow.monitor.a becomes a member
GRANT "ds.acme.yellow.monitor" TO "ds.acme.yellow.monitor.a" WITH INHERIT TRUE, SET FALSE;
-- join role ds.acme.yellow.monitor: ds.acme.yellow.monitor.b becomes a member
GRANT "ds.acme.yellow.monitor" TO "ds.acme.yellow.monitor.b" WITH INHERIT TRUE, SET FALSE;
-- join role ds.acme.yellow.owner: ds.acme.yellow.run becomes a member
GRANT "ds.acme.yellow.owner" TO "ds.acme.yellow.run" WITH INHERIT FALSE, SET TRUE;
-- join role ds.acme.yellow.r.reports.all: team becomes a member
GRANT "ds.acme.yellow.r.reports.all" TO "team" WITH INHERIT TRUE, SET FALSE;
-- join role ds.acme.yellow.r.reports.all.cleared for INTERNAL: anna becomes a member
GRANT "ds.acme.yellow.r.reports.all.cleared for INTERNAL" TO "anna" WITH INHERIT TRUE, SET FALSE;
-- join role ds.acme.yellow.run: ds.acme.yellow.run.a becomes a member
GRANT "ds.acme.yellow.run" TO "ds.acme.yellow.run.a" WITH INHERIT TRUE, SET TRUE;
-- join role ds.acme.yellow.run: ds.acme.yellow.run.b becomes a member
GRANT "ds.acme.yellow.run" TO "ds.acme.yellow.run.b" WITH INHERIT TRUE, SET TRUE;
-- join role ds.acme.yellow.t.reports: ds.acme.yellow.t.reports.a becomes a member
GRANT "ds.acme.yellow.t.reports" TO "ds.acme.yellow.t.reports.a" WITH INHERIT TRUE, SET FALSE;
-- join role ds.acme.yellow.t.reports: ds.acme.yellow.t.reports.b becomes a member
GRANT "ds.acme.yellow.t.reports" TO "ds.acme.yellow.t.reports.b" WITH INHERIT TRUE, SET FALSE;
-- grant database warehouse: CONNECT to ds.acme.yellow.monitor, ds.acme.yellow.r.reports.all, ds.acme.yellow.r.reports.all.cleared for INTERNAL, ds.acme.yellow.run, ds.acme.yellow.t.reports
GRANT CONNECT ON DATABASE "warehouse" TO "ds.acme.yellow.monitor", "ds.acme.yellow.r.reports.all", "ds.acme.yellow.r.reports.all.cleared for INTERNAL", "ds.acme.yellow.run", "ds.acme.yellow.t.reports";
-- grant database warehouse: CREATE to ds.acme.yellow.owner
GRANT CREATE ON DATABASE "warehouse" TO "ds.acme.yellow.owner";
-- grant schema ds_yellow: USAGE to ds.acme.yellow.monitor
GRANT USAGE ON SCHEMA "ds_yellow" TO "ds.acme.yellow.monitor";
-- grant schema ds_yellow.reports: USAGE to ds.acme.yellow.t.reports
GRANT USAGE ON SCHEMA "ds_yellow.reports" TO "ds.acme.yellow.t.reports";
-- grant schema reports_all: USAGE to ds.acme.yellow.r.reports.all, ds.acme.yellow.r.reports.all.cleared for INTERNAL, ds.acme.yellow.t.reports
GRANT USAGE ON SCHEMA "reports_all" TO "ds.acme.yellow.r.reports.all", "ds.acme.yellow.r.reports.all.cleared for INTERNAL", "ds.acme.yellow.t.reports";
-- grant table ds_yellow.reports.out: DELETE, INSERT, SELECT, TRUNCATE, UPDATE to ds.acme.yellow.t.reports
GRANT DELETE, INSERT, SELECT, TRUNCATE, UPDATE ON "ds_yellow.reports"."out" TO "ds.acme.yellow.t.reports";
-- grant view ds_yellow.batches: SELECT to ds.acme.yellow.monitor
GRANT SELECT ON "ds_yellow"."batches" TO "ds.acme.yellow.monitor";
-- grant view reports_all.crm_people: SELECT to ds.acme.yellow.r.reports.all, ds.acme.yellow.t.reports
GRANT SELECT ON "reports_all"."crm_people" TO "ds.acme.yellow.r.reports.all", "ds.acme.yellow.t.reports";
-- grant view reports_all.crm_people: SELECT(id), SELECT(name) to ds.acme.yellow.r.reports.all.cleared for INTERNAL
GRANT SELECT ("id", "name") ON "reports_all"."crm_people" TO "ds.acme.yellow.r.reports.all.cleared for INTERNAL";
-- grant what ds.acme.yellow.owner makes in schema ds_yellow.reports: DELETE, INSERT, SELECT, TRUNCATE, UPDATE to ds.acme.yellow.t.reports
ALTER DEFAULT PRIVILEGES FOR ROLE "ds.acme.yellow.owner" IN SCHEMA "ds_yellow.reports" GRANT DELETE, INSERT, SELECT, TRUNCATE, UPDATE ON TABLES TO "ds.acme.yellow.t.reports";
-- grant what ds.acme.yellow.owner makes in schema reports_all: SELECT to ds.acme.yellow.r.reports.all
ALTER DEFAULT PRIVILEGES FOR ROLE "ds.acme.yellow.owner" IN SCHEMA "reports_all" GRANT SELECT ON TABLES TO "ds.acme.yellow.r.reports.all";
-- grant what ds.acme.yellow.owner makes in schema reports_all: SELECT to ds.acme.yellow.t.reports
ALTER DEFAULT PRIVILEGES FOR ROLE "ds.acme.yellow.owner" IN SCHEMA "reports_all" GRANT SELECT ON TABLES TO "ds.acme.yellow.t.reports";
