select * from {{ ref('live_totals') }} where total <= 0
