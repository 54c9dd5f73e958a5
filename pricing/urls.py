from django.urls import path

from pricing import allowance_views, sheet_views, views

app_name = "pricing"

urlpatterns = [
    path("", views.price_list, name="price-list"),
    path("calculator/", views.calculator, name="calculator"),
    path("calculator/result/", views.calculator_result, name="calculator-result"),
    path("sheets/<slug:code>/withdraw/", sheet_views.sheet_withdraw, name="sheet-withdraw"),
    path("<slug:organization>/allowance/", allowance_views.allowance, name="allowance"),
    path("<slug:organization>/import/", sheet_views.sheet_import, name="sheet-import"),
    path("<slug:organization>/export/", sheet_views.sheet_export, name="sheet-export"),
    path("<slug:organization>/new/<slug:provider>/", sheet_views.sheet_create, name="sheet-create"),
]
