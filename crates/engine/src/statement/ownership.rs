//! ALTER ... OWNER TO, REASSIGN OWNED and DROP OWNED.

use springtide_catalog::{Access, Catalog, Privilege, RelationKind, RoleId, SchemaId, Securable, denied};
use springtide_sql::sqlparser::ast::Function;
use springtide_types::{Result, SqlError, SqlState};

use super::Context;
use super::call::{texts, two_lists, unknown};
use super::grant::object_named;
use super::permission::must_own;
use super::role::{described, named};
use crate::notice::Notice;
use crate::response::Response;
use crate::transaction::Transaction;

/// Runs a statement about owners, if a call stands for one.
pub(super) fn run(
    context: &mut Context<'_>,
    transaction: &mut Transaction,
    call: &Function,
) -> Result<Option<Response>> {
    let mut catalog = transaction.catalog();
    let identity = transaction.identity();
    let texts = || texts(call);
    let tag = match call.name.to_string().as_str() {
        "springtide.alter_owner" => {
            let texts = texts()?;
            let [kind, name, owner] = texts[..] else { return Err(unknown(call)) };
            let on = object_named(&catalog, kind, name)?;
            let owner = named(catalog.roles(), identity, owner)?;
            alter(&mut catalog, on, owner, identity.current)?;
            format!("ALTER {}", kind.to_uppercase())
        }
        "springtide.reassign_owned" => {
            let texts = texts()?;
            let (from, to) = two_lists(call, &texts)?;
            let [to] = to else { return Err(unknown(call)) };
            let to = named(catalog.roles(), identity, to)?;
            for from in from {
                let from = named(catalog.roles(), identity, from)?;
                check_stands_for(&catalog, identity.current, &[from, to], "reassign")?;
                for on in owned(&catalog, from) {
                    catalog.set_owner(on, to);
                }
            }
            "REASSIGN OWNED".to_owned()
        }
        "springtide.drop_owned" => {
            let texts = texts()?;
            let [cascade, roles @ ..] = texts.as_slice() else { return Err(unknown(call)) };
            for role in roles {
                let role = named(catalog.roles(), identity, role)?;
                check_stands_for(&catalog, identity.current, &[role], "drop")?;
                drop_owned(context, &mut catalog, role, *cascade == "true")?;
            }
            "DROP OWNED".to_owned()
        }
        _ => return Ok(None),
    };
    transaction.set_catalog(catalog);
    Ok(Some(Response::complete(tag)))
}

fn alter(catalog: &mut Catalog, on: Securable, owner: RoleId, current: RoleId) -> Result<()> {
    if catalog.owner(on) == owner {
        return Ok(());
    }
    must_own(catalog, current, on)?;
    if !catalog.roles().is_member(current, owner) {
        return Err(denied(format!("must be member of role \"{}\"", catalog.roles().name(owner))));
    }
    let is_superuser = catalog.roles().is_superuser(current);
    if let Securable::Type(_) = on
        && !is_superuser
        && !catalog.has_privilege(owner, Securable::Schema(SchemaId::PUBLIC), Privilege::Create)
    {
        return Err(denied("permission denied for schema public"));
    }
    if let Securable::Relation(id) = on {
        let relation = catalog.by_id(id).cloned().ok_or_else(|| SqlError::internal("it was just found"))?;
        if let RelationKind::Sequence { owner: Some(linked), .. } = &relation.kind
            && let Some(table) = catalog.by_id(linked.table)
        {
            let message = format!("cannot change owner of sequence \"{}\"", relation.name);
            let detail = format!("Sequence \"{}\" is linked to table \"{}\".", relation.name, table.name);
            return Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, message).with_detail(detail));
        }
        let schema = Securable::Schema(relation.in_schema);
        if !is_superuser && !catalog.has_privilege(owner, schema, Privilege::Create) {
            return Err(denied(format!("permission denied for {}", described(catalog, schema))));
        }
    }
    for on in with_owned(catalog, on) {
        catalog.set_owner(on, owner);
    }
    Ok(())
}

/// An object and what goes with it: the sequences of its columns, and the tables that it fills.
fn with_owned(catalog: &Catalog, on: Securable) -> Vec<Securable> {
    let Securable::Relation(id) = on else { return vec![on] };
    let goes_along = catalog.relations().filter(|other| match &other.kind {
        RelationKind::Sequence { owner: Some(linked), .. } => linked.table == id,
        _ => other.filled_by() == Some(id),
    });
    std::iter::once(on).chain(goes_along.map(|other| Securable::Relation(other.id))).collect()
}

/// Fails unless the current role has the privileges of these roles.
fn check_stands_for(catalog: &Catalog, current: RoleId, roles: &[RoleId], what: &str) -> Result<()> {
    if roles.iter().all(|role| catalog.roles().has_privileges_of(current, *role)) {
        return Ok(());
    }
    Err(denied(format!("permission denied to {what} objects")))
}

/// Everything that a role owns.
fn owned(catalog: &Catalog, role: RoleId) -> Vec<Securable> {
    let relations = catalog.relations().map(|relation| Securable::Relation(relation.id));
    let functions = catalog.all_functions().map(|function| Securable::Function(function.id));
    let schemas = catalog.schemas().map(|schema| Securable::Schema(schema.id));
    let types = catalog.types().iter().map(|known| Securable::Type(known.id));
    let all = relations.chain(functions).chain(types).chain(schemas).chain([Securable::Database]);
    all.filter(|on| catalog.owner(*on) == role).collect()
}

/// Drops what a role owns and takes away what it was granted.
fn drop_owned(context: &mut Context<'_>, catalog: &mut Catalog, role: RoleId, cascade: bool) -> Result<()> {
    let owned = owned(catalog, role);
    if role == RoleId::BOOTSTRAP {
        let message = format!(
            "cannot drop objects owned by role {} because they are required by the database system",
            catalog.roles().name(role)
        );
        return Err(SqlError::new(SqlState::DEPENDENT_OBJECTS_STILL_EXIST, message));
    }
    let relations = owned.iter().filter_map(|on| match on {
        Securable::Relation(id) => Some(*id),
        _ => None,
    });
    let functions = owned.iter().filter_map(|on| match on {
        Securable::Function(id) => Some(*id),
        _ => None,
    });
    let (relations, functions) = (relations.collect::<Vec<_>>(), functions.collect::<Vec<_>>());
    let mut cascaded = Vec::new();
    if !relations.is_empty() {
        cascaded.extend(catalog.drop(&relations, cascade)?.cascaded);
    }
    if !functions.is_empty() {
        cascaded.extend(catalog.drop_functions(&functions, cascade)?);
    }
    context.notices.extend(cascaded.iter().map(|what| Notice::new(format!("drop cascades to {what}"))));
    revoke_all(catalog, role);
    Ok(())
}

/// Takes away what was granted to a role, and by it.
fn revoke_all(catalog: &mut Catalog, role: RoleId) {
    let accesses = catalog.accesses().map(|(on, access)| (on, access.clone())).collect::<Vec<_>>();
    for (on, Access { owner, grants }) in accesses {
        let kept = grants.map(|grants| {
            let stays = grants.into_iter().filter(|it| it.grantee != Some(role) && it.grantor != role);
            stays.collect()
        });
        catalog.set_access(on, Access { owner, grants: kept });
    }
    catalog.forget_default_privileges(role);
}
