{{ config(materialized='table', indexes=[{'columns': ['customer']}]) }}
with totals as (select customer, sum(amount) as total from {{ ref('orders') }} group by customer)
select customer, total from totals
