select * from {{ ref('placed') }} where share < 0
