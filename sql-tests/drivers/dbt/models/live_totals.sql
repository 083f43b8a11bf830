{{ config(materialized='materialized_view') }}
select customer, count(*) as orders, sum(amount) as total from {{ ref('order_log') }} group by customer
