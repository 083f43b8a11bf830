//! Relations that clients ask for and that never have rows, since there is nothing here that they could list.

use super::{Rows, SystemRelation};

pub(super) fn relations() -> Vec<SystemRelation> {
    vec![
        SystemRelation::new(
            "pg_aggregate",
            2_600,
            "aggfnoid regproc, aggkind char, aggnumdirectargs int2, aggtransfn regproc, aggfinalfn \
                 regproc, aggcombinefn regproc, aggserialfn regproc, aggdeserialfn regproc, aggmtransfn \
                 regproc, aggminvtransfn regproc, aggmfinalfn regproc, aggfinalextra bool, aggmfinalextra \
                 bool, aggfinalmodify char, aggmfinalmodify char, aggsortop oid, aggtranstype oid, \
                 aggtransspace int4, aggmtranstype oid, aggmtransspace int4, agginitval text, aggminitval \
                 text",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_cast",
            2_605,
            "oid oid, castsource oid, casttarget oid, castfunc oid, castcontext char, castmethod char",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_conversion",
            2_607,
            "oid oid, conname name, connamespace oid, conowner oid, conforencoding int4, contoencoding \
                 int4, conproc regproc, condefault bool",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_event_trigger",
            3_466,
            "oid oid, evtname name, evtevent name, evtowner oid, evtfoid oid, evtenabled char, evttags \
                 text[]",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_extension",
            3_079,
            "oid oid, extname name, extowner oid, extnamespace oid, extrelocatable bool, extversion \
                 text, extconfig oid[], extcondition text[]",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_foreign_data_wrapper",
            2_328,
            "oid oid, fdwname name, fdwowner oid, fdwhandler oid, fdwvalidator oid, fdwacl aclitem[], \
                 fdwoptions text[]",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_foreign_server",
            1_417,
            "oid oid, srvname name, srvowner oid, srvfdw oid, srvtype text, srvversion text, srvacl \
                 aclitem[], srvoptions text[]",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_foreign_table",
            3_118,
            "ftrelid oid, ftserver oid, ftoptions text[]",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_inherits",
            2_611,
            "inhrelid oid, inhparent oid, inhseqno int4, inhdetachpending bool",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_locks",
            12_073,
            "locktype text, database oid, relation oid, page int4, tuple int2, virtualxid text, \
                 transactionid xid, classid oid, objid oid, objsubid int2, virtualtransaction text, pid \
                 int4, mode text, granted bool, fastpath bool, waitstart timestamptz",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_opclass",
            2_616,
            "oid oid, opcmethod oid, opcname name, opcnamespace oid, opcowner oid, opcfamily oid, \
                 opcintype oid, opcdefault bool, opckeytype oid",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_operator",
            2_617,
            "oid oid, oprname name, oprnamespace oid, oprowner oid, oprkind char, oprcanmerge bool, \
                 oprcanhash bool, oprleft oid, oprright oid, oprresult oid, oprcom oid, oprnegate oid, \
                 oprcode regproc, oprrest regproc, oprjoin regproc",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_opfamily",
            2_753,
            "oid oid, opfmethod oid, opfname name, opfnamespace oid, opfowner oid",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_partitioned_table",
            3_350,
            "partrelid oid, partstrat char, partnatts int2, partdefid oid, partattrs int2vector, \
                 partclass oidvector, partcollation oidvector, partexprs pg_node_tree",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_policy",
            3_256,
            "oid oid, polname name, polrelid oid, polcmd char, polpermissive bool, polroles oid[], \
                 polqual pg_node_tree, polwithcheck pg_node_tree",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_publication",
            6_104,
            "oid oid, pubname name, pubowner oid, puballtables bool, pubinsert bool, pubupdate bool, \
                 pubdelete bool, pubtruncate bool, pubviaroot bool",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_publication_namespace",
            6_237,
            "oid oid, pnpubid oid, pnnspid oid",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_publication_rel",
            6_106,
            "oid oid, prpubid oid, prrelid oid, prqual pg_node_tree, prattrs int2vector",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_range",
            3_541,
            "rngtypid oid, rngsubtype oid, rngmultitypid oid, rngcollation oid, rngsubopc oid, \
                 rngcanonical regproc, rngsubdiff regproc",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_replication_slots",
            12_257,
            "slot_name name, plugin name, slot_type text, datoid oid, database name, temporary bool, \
                 active bool, active_pid int4, xmin xid, catalog_xmin xid, restart_lsn pg_lsn, \
                 confirmed_flush_lsn pg_lsn, wal_status text, safe_wal_size int8, two_phase bool",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_rewrite",
            2_618,
            "oid oid, rulename name, ev_class oid, ev_type char, ev_enabled char, is_instead bool, \
                 ev_qual pg_node_tree, ev_action pg_node_tree",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_rules",
            12_023,
            "schemaname name, tablename name, rulename name, definition text",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_stat_user_tables",
            12_161,
            "relid oid, schemaname name, relname name, seq_scan int8, seq_tup_read int8, idx_scan int8, \
                 idx_tup_fetch int8, n_tup_ins int8, n_tup_upd int8, n_tup_del int8, n_tup_hot_upd int8, \
                 n_live_tup int8, n_dead_tup int8, n_mod_since_analyze int8, n_ins_since_vacuum int8, \
                 last_vacuum timestamptz, last_autovacuum timestamptz, last_analyze timestamptz, \
                 last_autoanalyze timestamptz, vacuum_count int8, autovacuum_count int8, analyze_count \
                 int8, autoanalyze_count int8",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_statistic_ext",
            3_381,
            "oid oid, stxrelid oid, stxname name, stxnamespace oid, stxowner oid, stxstattarget int4, \
                 stxkeys int2vector, stxkind char[], stxexprs pg_node_tree",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_subscription",
            6_100,
            "oid oid, subdbid oid, subskiplsn pg_lsn, subname name, subowner oid, subenabled bool, \
                 subbinary bool, substream bool, subtwophasestate char, subdisableonerr bool, subconninfo \
                 text, subslotname name, subsynccommit text, subpublications text[]",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_trigger",
            2_620,
            "oid oid, tgrelid oid, tgparentid oid, tgname name, tgfoid oid, tgtype int2, tgenabled \
                 char, tgisinternal bool, tgconstrrelid oid, tgconstrindid oid, tgconstraint oid, \
                 tgdeferrable bool, tginitdeferred bool, tgnargs int2, tgattr int2vector, tgargs bytea, \
                 tgqual pg_node_tree, tgoldtable name, tgnewtable name",
            Rows::Never,
        ),
        SystemRelation::new(
            "pg_ts_config",
            3_602,
            "oid oid, cfgname name, cfgnamespace oid, cfgowner oid, cfgparser oid",
            Rows::Never,
        ),
        SystemRelation::new(
            "information_schema.parameters",
            13_334,
            "specific_catalog name, specific_schema name, specific_name name, ordinal_position int4, \
                 parameter_mode text, is_result text, as_locator text, parameter_name name, data_type text, \
                 character_maximum_length int4, character_octet_length int4, character_set_catalog name, \
                 character_set_schema name, character_set_name name, collation_catalog name, \
                 collation_schema name, collation_name name, numeric_precision int4, \
                 numeric_precision_radix int4, numeric_scale int4, datetime_precision int4, interval_type \
                 text, interval_precision int4, udt_catalog name, udt_schema name, udt_name name, \
                 scope_catalog name, scope_schema name, scope_name name, maximum_cardinality int4, \
                 dtd_identifier name, parameter_default text",
            Rows::Never,
        ),
        SystemRelation::new(
            "information_schema.triggers",
            13_440,
            "trigger_catalog name, trigger_schema name, trigger_name name, event_manipulation text, \
                 event_object_catalog name, event_object_schema name, event_object_table name, action_order \
                 int4, action_condition text, action_statement text, action_orientation text, action_timing \
                 text, action_reference_old_table name, action_reference_new_table name, \
                 action_reference_old_row name, action_reference_new_row name, created timestamptz",
            Rows::Never,
        ),
    ]
}
